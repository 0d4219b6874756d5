import type { ObjectMeta, PodSpec } from '../../generated/types.ts'
import * as checks from './pod-checks.ts'
import type { PodCheck, Violation } from './pod-checks.ts'

export type Level = 'privileged' | 'baseline' | 'restricted'

export const levels: readonly Level[] = ['privileged', 'baseline', 'restricted']

export interface LevelVersion {
  readonly level: Level
  /** The minor version of Kubernetes whose rules count; Infinity is the latest. */
  readonly minor: number
}

/** `restricted:v1.30`, `baseline:latest`. */
export function formatLevelVersion({ level, minor }: LevelVersion): string {
  return `${level}:${minor === Infinity ? 'latest' : `v1.${minor}`}`
}

interface VersionedCheck {
  readonly id: string
  /** Checks by the minor version from which on they count, oldest first. */
  readonly versions: readonly (readonly [sinceMinor: number, check: PodCheck])[]
  /** The baseline check that this one takes the place of. */
  readonly replaces?: string
}

const sysctls0 = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
] as const
const sysctls27 = [...sysctls0, 'net.ipv4.ip_local_reserved_ports'] as const
const sysctls29 = [
  ...sysctls27,
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
] as const
const sysctls32 = [...sysctls29, 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'] as const
const seLinuxTypes = ['', 'container_t', 'container_init_t', 'container_kvm_t'] as const

const sysctlsOf = (names: readonly string[]): PodCheck => checks.sysctls(new Set(names))
const seLinuxOf = (types: readonly string[]): PodCheck => checks.seLinuxOptions(new Set(types))

// In the order of upstream's ids, which is the order of violations in a message.
const baseline: readonly VersionedCheck[] = [
  { id: 'appArmorProfile', versions: [[0, checks.appArmorProfile]] },
  { id: 'capabilities_baseline', versions: [[0, checks.baselineCapabilities]] },
  { id: 'hostNamespaces', versions: [[0, checks.hostNamespaces]] },
  { id: 'hostPathVolumes', versions: [[0, checks.hostPathVolumes]] },
  { id: 'hostPorts', versions: [[0, checks.hostPorts]] },
  { id: 'hostProbesAndHostLifecycle', versions: [[34, checks.hostProbesAndLifecycle]] },
  { id: 'privileged', versions: [[0, checks.privileged]] },
  {
    id: 'procMount',
    versions: [
      [0, checks.procMount],
      [35, checks.inHostUsers(checks.procMount)],
    ],
  },
  {
    id: 'seLinuxOptions',
    versions: [
      [0, seLinuxOf(seLinuxTypes)],
      [31, seLinuxOf([...seLinuxTypes, 'container_engine_t'])],
    ],
  },
  {
    id: 'seccompProfile_baseline',
    versions: [
      [0, checks.seccompAnnotations],
      [19, checks.baselineSeccomp],
    ],
  },
  {
    id: 'sysctls',
    versions: [
      [0, sysctlsOf(sysctls0)],
      [27, sysctlsOf(sysctls27)],
      [29, sysctlsOf(sysctls29)],
      [32, sysctlsOf(sysctls32)],
    ],
  },
  { id: 'windowsHostProcess', versions: [[0, checks.windowsHostProcess]] },
]

const restricted: readonly VersionedCheck[] = [
  {
    id: 'allowPrivilegeEscalation',
    versions: [
      [8, checks.allowPrivilegeEscalation],
      [25, checks.onLinux(checks.allowPrivilegeEscalation)],
    ],
  },
  {
    id: 'capabilities_restricted',
    versions: [
      [22, checks.restrictedCapabilities],
      [25, checks.onLinux(checks.restrictedCapabilities)],
    ],
    replaces: 'capabilities_baseline',
  },
  { id: 'procMount_restricted', versions: [[35, checks.procMount]], replaces: 'procMount' },
  { id: 'restrictedVolumes', versions: [[0, checks.restrictedVolumes]], replaces: 'hostPathVolumes' },
  {
    id: 'runAsNonRoot',
    versions: [
      [0, checks.runAsNonRoot],
      [35, checks.inHostUsers(checks.runAsNonRoot)],
    ],
  },
  {
    id: 'runAsUser',
    versions: [
      [23, checks.runAsUser],
      [35, checks.inHostUsers(checks.runAsUser)],
    ],
  },
  {
    id: 'seccompProfile_restricted',
    versions: [
      [19, checks.restrictedSeccomp],
      [25, checks.onLinux(checks.restrictedSeccomp)],
    ],
    replaces: 'seccompProfile_baseline',
  },
]

function checkAt({ versions }: VersionedCheck, minor: number): PodCheck | undefined {
  return versions.findLast(([since]) => since <= minor)?.[1]
}

/** What a pod breaks of a level, as that stood in a version; nothing is broken for `privileged`. */
export function violationsOf({ level, minor }: LevelVersion, spec: PodSpec, metadata: ObjectMeta): readonly Violation[] {
  if (level === 'privileged') return []
  const stricter = level === 'restricted' ? restricted.filter((check) => checkAt(check, minor) !== undefined) : []
  const replaced = new Set(stricter.map(({ replaces }) => replaces))
  const violations: Violation[] = []
  for (const check of [...baseline.filter(({ id }) => !replaced.has(id)), ...stricter]) {
    const violation = checkAt(check, minor)?.(spec, metadata)
    if (violation !== undefined) violations.push(violation)
  }
  return violations
}

export function formatReasons(violations: readonly Violation[]): string {
  return violations.map(({ reason }) => reason).join(', ')
}

export function formatDetails(violations: readonly Violation[]): string {
  return violations.map(({ reason, detail }) => (detail === '' ? reason : `${reason} (${detail})`)).join(', ')
}
