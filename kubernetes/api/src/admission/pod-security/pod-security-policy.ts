import { fieldInvalid } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { levels } from './pod-security-standards.ts'
import type { Level, LevelVersion } from './pod-security-standards.ts'

/** What the labels of a namespace ask for, by mode. */
export interface Policy {
  readonly enforce: LevelVersion
  readonly audit: LevelVersion
  readonly warn: LevelVersion
}

const prefix = 'pod-security.kubernetes.io/'
const open: LevelVersion = { level: 'privileged', minor: Infinity }
export const privilegedPolicy: Policy = { enforce: open, audit: open, warn: open }

/**
 * The policy of a namespace with these labels, and what is wrong with them: an enforced level that cannot be read is `restricted`, one that is only audited or warned about
 * is `privileged`, a version that cannot be read is the latest.
 */
export function policyOf(labels: Readonly<Record<string, string>> | undefined): { readonly policy: Policy; readonly errors: readonly FieldError[] } {
  if (labels === undefined) return { policy: privilegedPolicy, errors: [] }
  const errors: FieldError[] = []
  const levelOf = (mode: keyof Policy, otherwise: Level): Level | undefined => {
    const text = labels[`${prefix}${mode}`]
    if (text === undefined) return undefined
    const level = levels.find((name) => name === text)
    if (level === undefined) errors.push(fieldInvalid(`metadata.labels[${prefix}${mode}]`, text, `must be one of ${levels.join(', ')}`))
    return level ?? otherwise
  }
  const minorOf = (mode: keyof Policy): number | undefined => {
    const text = labels[`${prefix}${mode}-version`]
    if (text === undefined || text === 'latest') return text === undefined ? undefined : Infinity
    const minor = /^v1\.(\d|[1-9]\d*)$/.exec(text)?.[1]
    if (minor === undefined) errors.push(fieldInvalid(`metadata.labels[${prefix}${mode}-version]`, text, 'must be "latest" or "v1.x"'))
    return minor === undefined ? Infinity : Number(minor)
  }
  const enforced = levelOf('enforce', 'restricted')
  const isReadable = enforced !== undefined && errors.length === 0
  const enforce: LevelVersion = { level: enforced ?? 'privileged', minor: minorOf('enforce') ?? Infinity }
  const audit: LevelVersion = { level: levelOf('audit', 'privileged') ?? 'privileged', minor: minorOf('audit') ?? Infinity }
  const warned = levelOf('warn', 'privileged')
  const warnedMinor = minorOf('warn')
  // Who enforces a level warns about it too.
  const follows = warned === undefined && isReadable && enforce.level !== 'privileged'
  const warn: LevelVersion = follows
    ? { level: enforce.level, minor: warnedMinor ?? enforce.minor }
    : { level: warned ?? 'privileged', minor: warnedMinor ?? Infinity }
  return { policy: { enforce, audit, warn }, errors }
}

/** Negative, zero or positive, as `a` is less strict than, as strict as or stricter than `b`. */
export function compareLevels(a: Level, b: Level): number {
  return levels.indexOf(a) - levels.indexOf(b)
}

export function isSameLevel(a: LevelVersion, b: LevelVersion): boolean {
  return a.level === b.level && a.minor === b.minor
}
