import { goQuote } from '@gantry/apimachinery'
import type { Library } from '../overloads.ts'
import { CelError, compareText } from '../values.ts'
import type { HostValue, Value } from '../values.ts'

const typeName = 'kubernetes.Semver'

/** A version of semver.org 2.0.0; build metadata has no order. */
class Semver implements HostValue {
  readonly hostType = typeName
  readonly numbers: readonly [bigint, bigint, bigint]
  readonly preRelease: readonly string[]

  constructor(numbers: readonly [bigint, bigint, bigint], preRelease: readonly string[]) {
    this.numbers = numbers
    this.preRelease = preRelease
  }

  compare(other: Semver): -1 | 0 | 1 {
    for (const [i, number] of this.numbers.entries()) {
      const theirs = other.numbers[i] ?? 0n
      if (number !== theirs) return number < theirs ? -1 : 1
    }
    return comparePreReleases(this.preRelease, other.preRelease)
  }

  equals(other: HostValue): boolean {
    return other instanceof Semver && this.compare(other) === 0
  }
}

function comparePreReleases(a: readonly string[], b: readonly string[]): -1 | 0 | 1 {
  if (a.length === 0 || b.length === 0) return a.length === b.length ? 0 : a.length === 0 ? 1 : -1
  for (const [i, part] of a.entries()) {
    const other = b[i]
    if (other === undefined) return 1
    const [isNumber, isOtherNumber] = [/^\d+$/.test(part), /^\d+$/.test(other)]
    if (isNumber !== isOtherNumber) return isNumber ? -1 : 1
    const order = isNumber ? compareIntegers(BigInt(part), BigInt(other)) : compareText(part, other)
    if (order !== 0) return order
  }
  return a.length === b.length ? 0 : -1
}

function compareIntegers(a: bigint, b: bigint): -1 | 0 | 1 {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The words of github.com/blang/semver. */
function parse(text: string): Semver | CelError {
  if (text === '') return new CelError('Version string empty')
  const parts = text.split('.')
  const [major = '', minor, ...rest] = parts
  if (minor === undefined || rest.length === 0) return new CelError('No Major.Minor.Patch elements found')
  const last = rest.join('.')
  const plus = last.indexOf('+')
  const beforeBuild = plus < 0 ? last : last.slice(0, plus)
  const dash = beforeBuild.indexOf('-')
  const patch = dash < 0 ? beforeBuild : beforeBuild.slice(0, dash)
  const numbers: bigint[] = []
  for (const [name, value] of [
    ['Major', major],
    ['Minor', minor],
    ['Patch', patch],
  ] as const) {
    if (!/^\d+$/.test(value)) return new CelError(`Invalid character(s) found in ${name.toLowerCase()} number ${goQuote(value)}`)
    if (value.length > 1 && value.startsWith('0')) return new CelError(`${name} number must not contain leading zeroes ${goQuote(value)}`)
    numbers.push(BigInt(value))
  }
  const preRelease = dash < 0 ? [] : beforeBuild.slice(dash + 1).split('.')
  const build = plus < 0 ? [] : last.slice(plus + 1).split('.')
  for (const part of preRelease) {
    if (part === '') return new CelError('Prerelease is empty')
    if (/^\d+$/.test(part) && part.length > 1 && part.startsWith('0'))
      return new CelError(`Numeric PreRelease version must not contain leading zeroes ${goQuote(part)}`)
    if (!/^[0-9A-Za-z-]+$/.test(part)) return new CelError(`Invalid character(s) found in prerelease ${goQuote(part)}`)
  }
  for (const part of build) {
    if (part === '') return new CelError('Build meta data is empty')
    if (!/^[0-9A-Za-z-]+$/.test(part)) return new CelError(`Invalid character(s) found in build meta data ${goQuote(part)}`)
  }
  const [first = 0n, second = 0n, third = 0n] = numbers
  return new Semver([first, second, third], preRelease)
}

/** `v1.02` is `1.2.0`: a prefix, leading zeros and missing numbers are forgiven. */
function normalized(text: string): Semver | CelError {
  const [major = '', minor, ...rest] = text.replace(/^v/, '').split('.')
  const given = [major, ...(minor === undefined ? [] : [minor]), ...(rest.length === 0 ? [] : [rest.join('.')])]
  const parts = given.map((part) => {
    if (part.length <= 1) return part
    const stripped = part.replace(/^0+/, '')
    return /^\d/.test(stripped) ? stripped : `0${stripped}`
  })
  if (parts.length < 3 && /[+-]/.test(parts.at(-1) ?? '')) return new CelError('short version cannot contain PreRelease/Build meta data')
  while (parts.length < 3) parts.push('0')
  return parse(parts.join('.'))
}

export function addSemver(library: Library): void {
  const v = typeName
  const read = (text: string, normalize: boolean): Semver | CelError => (normalize ? normalized(text) : parse(text))
  library
    .add('semver', 'string_to_semver', `(string) -> ${v}`, (text: string): Value => parse(text))
    .add('semver', 'string_bool_to_semver', `(string, bool) -> ${v}`, (text: string, normalize: boolean): Value => read(text, normalize))
    .add('isSemver', 'is_semver_string', '(string) -> bool', (text: string) => parse(text) instanceof Semver)
    .add('isSemver', 'is_semver_string_bool', '(string, bool) -> bool', (text: string, normalize: boolean) => read(text, normalize) instanceof Semver)
    .add('isGreaterThan', 'semver_is_greater_than', `${v}.(${v}) -> bool`, (a: Semver, b: Semver) => a.compare(b) > 0)
    .add('isLessThan', 'semver_is_less_than', `${v}.(${v}) -> bool`, (a: Semver, b: Semver) => a.compare(b) < 0)
    .add('compareTo', 'semver_compare_to', `${v}.(${v}) -> int`, (a: Semver, b: Semver) => BigInt(a.compare(b)))
    .add('major', 'semver_major', `${v}.() -> int`, (version: Semver) => version.numbers[0])
    .add('minor', 'semver_minor', `${v}.() -> int`, (version: Semver) => version.numbers[1])
    .add('patch', 'semver_patch', `${v}.() -> int`, (version: Semver) => version.numbers[2])
}
