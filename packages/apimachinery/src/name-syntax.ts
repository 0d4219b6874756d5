import { utf8Length } from './utf8.ts'

// Upstream: apimachinery pkg/util/validation/validation.go and pkg/api/validation/generic.go. The regular expressions are part of the messages;
// the patterns match the same languages without their backtracking.
const labelFormat = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const labelPattern = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/
const labelMessage = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${labelFormat}')`
const subdomainFormat = `${labelFormat}(\\.${labelFormat})*`
const subdomainPattern = /^[a-z0-9]+(?:-+[a-z0-9]+)*(?:\.[a-z0-9]+(?:-+[a-z0-9]+)*)*$/
const subdomainMessage = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${subdomainFormat}')`
const dns1035Format = '[a-z]([-a-z0-9]*[a-z0-9])?'
const dns1035Pattern = /^[a-z](?:[-a-z0-9]*[a-z0-9])?$/
const dns1035Message = `a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '${dns1035Format}')`
const wildcardMessage = `a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.${subdomainFormat}')`

export const maxLabelLength = 63
export const maxSubdomainLength = 253
const maxPortNameLength = 15

/** What is wrong with a name; empty when nothing is. With `isPrefix` something will be appended to it (`generateName`): it may end in `-`. */
export type NameProblems = (name: string, isPrefix?: boolean) => string[]

/** A DNS-1123 subdomain of at most 253 characters: the names of most kinds. */
export const dns1123SubdomainProblems: NameProblems = (name, isPrefix = false) => {
  const text = isPrefix ? maskTrailingDash(name) : name
  const problems = lengthProblems(text, maxSubdomainLength)
  if (!subdomainPattern.test(text)) problems.push(subdomainMessage)
  return problems
}

/** A DNS-1123 label of at most 63 characters. */
export const dns1123LabelProblems: NameProblems = (name, isPrefix = false) => {
  const text = isPrefix ? maskTrailingDash(name) : name
  const problems = lengthProblems(text, maxLabelLength)
  if (!labelPattern.test(text)) problems.push(subdomainPattern.test(text) ? 'must not contain dots' : labelMessage)
  return problems
}

/** A DNS-1035 label of at most 63 characters: it starts with a letter. */
export const dns1035LabelProblems: NameProblems = (name, isPrefix = false) => {
  const text = isPrefix ? maskTrailingDash(name) : name
  const problems = lengthProblems(text, maxLabelLength)
  if (!dns1035Pattern.test(text)) problems.push(dns1035Message)
  return problems
}

/** A name that can stand in a URL path: no `/`, no `%`, not `.` or `..`. */
export const pathSegmentProblems: NameProblems = (name, isPrefix = false) => {
  if (!isPrefix && (name === '.' || name === '..')) return [`may not be '${name}'`]
  return ['/', '%'].filter((part) => name.includes(part)).map((part) => `may not contain '${part}'`)
}

/** The rule for names where a kind has none of its own. */
export const isNameValid: NameProblems = dns1123SubdomainProblems

/** `*.example.com`. */
export function wildcardSubdomainProblems(name: string): string[] {
  const problems = lengthProblems(name, maxSubdomainLength)
  if (!name.startsWith('*.') || !subdomainPattern.test(name.slice(2))) problems.push(wildcardMessage)
  return problems
}

export function portNameProblems(name: string): string[] {
  const problems = lengthProblems(name, maxPortNameLength)
  if (!/^[-a-z0-9]+$/.test(name)) problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(name)) problems.push('must contain at least one letter (a-z)')
  if (name.includes('--')) problems.push('must not contain consecutive hyphens')
  if (/^-|-$/.test(name)) problems.push('must not begin or end with a hyphen')
  return problems
}

/** A key of a ConfigMap or Secret. */
export function configMapKeyProblems(key: string): string[] {
  const problems = lengthProblems(key, maxSubdomainLength)
  if (!/^[-._a-zA-Z0-9]+$/.test(key)) {
    problems.push(
      "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    )
  }
  return [...problems, ...parentFolderProblems(key)]
}

/** The name of an environment variable: any printable ASCII without `=`. */
export function environmentNameProblems(name: string): string[] {
  const problems = name === '' ? ['environment variable name must be non-empty'] : []
  if (!/^[ -<>-~]*$/.test(name)) problems.push("a valid environment variable name must consist only of printable ASCII characters other than '='")
  return problems
}

export function portNumberProblems(port: number): string[] {
  return port >= 1 && port <= 65_535 ? [] : ['must be between 1 and 65535, inclusive']
}

function parentFolderProblems(text: string): string[] {
  if (text === '.' || text === '..') return [`must not be '${text}'`]
  return text.startsWith('..') ? [`must not start with '..'`] : []
}

function lengthProblems(text: string, max: number): string[] {
  return utf8Length(text) > max ? [`must be no more than ${max} characters`] : []
}

/** Upstream's way of allowing a trailing dash, the character it eats included. */
function maskTrailingDash(name: string): string {
  return name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name
}
