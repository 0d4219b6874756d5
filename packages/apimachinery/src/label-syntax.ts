import { utf8Length } from './utf8.ts'

// Upstream: apimachinery pkg/api/validate/content/{kube,dns}.go. The regular expressions are part of the messages.
const keyFormat = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const keyPattern = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const keyMessage = `must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${keyFormat}')`
const valueMessage = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(${keyFormat})?')`
const subdomainFormat = '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'
// The same language as subdomainFormat, without its backtracking.
const subdomainPattern = /^[a-z0-9]+(?:-+[a-z0-9]+)*(?:\.[a-z0-9]+(?:-+[a-z0-9]+)*)*$/
const subdomainMessage = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${subdomainFormat}')`

const maxNameBytes = 63
const maxSubdomainBytes = 253

/** What is wrong with a label key (a qualified name); empty when nothing is. */
export function labelKeyProblems(key: string): readonly string[] {
  if (key.length <= maxNameBytes && keyPattern.test(key)) return []
  const problems: string[] = []
  const parts = key.split('/')
  if (parts.length > 2) return [`a valid label key ${keyMessage} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`]
  const name = parts.at(-1) ?? ''
  if (parts.length === 2) {
    const prefix = parts[0] ?? ''
    if (prefix === '') problems.push('prefix part must be non-empty')
    else for (const problem of subdomainProblems(prefix)) problems.push(`prefix part ${problem}`)
  }
  if (name === '') problems.push('name part must be non-empty')
  else if (utf8Length(name) > maxNameBytes) problems.push(`name part must be no more than ${maxNameBytes} bytes`)
  if (!keyPattern.test(name)) problems.push(`name part ${keyMessage}`)
  return problems
}

/** What is wrong with a label value; empty when nothing is. */
export function labelValueProblems(value: string): readonly string[] {
  const problems: string[] = []
  if (utf8Length(value) > maxNameBytes) problems.push(`must be no more than ${maxNameBytes} bytes`)
  if (value !== '' && !keyPattern.test(value)) problems.push(valueMessage)
  return problems
}

/** What is wrong with a DNS-1123 subdomain; empty when nothing is. */
export function subdomainProblems(name: string): readonly string[] {
  const problems: string[] = []
  if (utf8Length(name) > maxSubdomainBytes) problems.push(`must be no more than ${maxSubdomainBytes} bytes`)
  if (!subdomainPattern.test(name)) problems.push(subdomainMessage)
  return problems
}
