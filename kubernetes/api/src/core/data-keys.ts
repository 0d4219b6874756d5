/** Total size of a ConfigMap's or Secret's values. */
export const maxDataBytes = 1024 * 1024

const maxKeyLength = 253
const message =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"

/** Upstream: apimachinery util/validation IsConfigMapKey. */
export function dataKeyProblems(key: string): string[] {
  const problems: string[] = []
  if (key.length > maxKeyLength) problems.push(`must be no more than ${maxKeyLength} characters`)
  if (!/^[-._a-zA-Z0-9]+$/.test(key)) problems.push(message)
  if (key === '.') problems.push("must not be '.'")
  else if (key === '..') problems.push("must not be '..'")
  else if (key.startsWith('..')) problems.push("must not start with '..'")
  return problems
}
