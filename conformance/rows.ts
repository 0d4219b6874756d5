/** The rows of the specification by section: what the names of claims end with, `(C15)` or `(P1, 7.3)`. A section without rows of its own is named whole. */
export interface Section {
  readonly title: string
  readonly rows: readonly string[]
}

function numbered(letter: string, last: number): string[] {
  return Array.from({ length: last }, (_one, at) => `${letter}${at + 1}`)
}

/** Rows that have names of their own, behind the number of their section; the section itself stands for what is in none of them. */
function named(section: string, names: readonly string[]): string[] {
  return [...names.map((name) => `${section} ${name}`), section]
}

export const sections: readonly Section[] = [
  { title: 'wire rules', rows: numbered('W', 21) },
  {
    title: 'Status and errors',
    rows: [
      'BadRequest',
      'Unauthorized',
      'Forbidden',
      'NotFound',
      'MethodNotAllowed',
      'NotAcceptable',
      'AlreadyExists',
      'Conflict',
      'Expired',
      'RequestEntityTooLarge',
      'Invalid',
      'TooManyRequests',
      'InternalError',
      'ServiceUnavailable',
      'Timeout',
    ].map((reason) => `1.1 ${reason}`),
  },
  { title: 'discovery and OpenAPI', rows: [...numbered('D', 11), '2'] },
  { title: 'lists and watches', rows: numbered('L', 25) },
  { title: 'create, update, delete', rows: numbered('C', 22) },
  { title: 'selectors', rows: ['6'] },
  { title: 'patches', rows: ['7.1', '7.2', '7.3', ...numbered('P', 11)] },
  { title: 'subresources', rows: numbered('S', 14) },
  { title: 'tables', rows: ['9'] },
  { title: 'custom resources', rows: numbered('X', 14) },
  { title: 'admission', rows: numbered('M', 15) },
  { title: 'authentication', rows: numbered('A', 14) },
  { title: 'authorization', rows: numbered('Z', 9) },
  { title: 'aggregation, audit, flow control, events, leases', rows: [...numbered('G', 3), ...numbered('E', 4), ...numbered('K', 2)] },
  {
    title: 'defaulting',
    rows: named('15', [
      'PodSpec',
      'Pod',
      'Container',
      'Probe',
      'Volumes',
      'Service',
      'Deployment',
      'ReplicaSet',
      'StatefulSet',
      'DaemonSet',
      'Job',
      'CronJob',
      'HPA',
      'PVC',
      'StorageClass',
      'Ingress',
      'NetworkPolicy',
      'Namespace',
      'Secret',
      'EndpointSlice',
      'RBAC',
      'Webhooks',
      'CSIDriver',
      'PriorityClass',
      'LimitRange',
      'Node',
      'zero values',
    ]),
  },
  {
    title: 'validation',
    rows: named('16', ['Names', 'Pod', 'Pod spec is immutable', 'Workloads', 'Service', 'Secret', 'PVC', 'Ingress', 'Node', 'Quantity']),
  },
]

/** Why a row has no claim: what a real API server shows of it takes longer than a run. */
export const withoutClaim: Readonly<Record<string, string>> = {
  '1.1 Expired': 'a real one forgets old states after five minutes at the earliest; ours is shown by its own tests',
  C21: 'an hour has to pass; ours is shown by its own tests, with a clock that is moved',
}

/** Where the defaults of a kind stand; kinds that the specification does not name are in the section. */
export function defaultsRowOf(kind: string): string {
  const row = defaultsRows[kind]
  return row === undefined ? '15' : `15 ${row}`
}

/** Where the rules of a kind stand. */
export function rulesRowOf(kind: string): string {
  const row = rulesRows[kind]
  return row === undefined ? '16' : `16 ${row}`
}

const defaultsRows: Readonly<Record<string, string>> = {
  Pod: 'PodSpec',
  PodTemplate: 'PodSpec',
  Service: 'Service',
  Deployment: 'Deployment',
  ReplicaSet: 'ReplicaSet',
  ReplicationController: 'ReplicaSet',
  StatefulSet: 'StatefulSet',
  DaemonSet: 'DaemonSet',
  Job: 'Job',
  CronJob: 'CronJob',
  HorizontalPodAutoscaler: 'HPA',
  PersistentVolume: 'PVC',
  PersistentVolumeClaim: 'PVC',
  StorageClass: 'StorageClass',
  Ingress: 'Ingress',
  IngressClass: 'Ingress',
  NetworkPolicy: 'NetworkPolicy',
  Namespace: 'Namespace',
  Secret: 'Secret',
  ConfigMap: 'Secret',
  Endpoints: 'EndpointSlice',
  EndpointSlice: 'EndpointSlice',
  Role: 'RBAC',
  ClusterRole: 'RBAC',
  RoleBinding: 'RBAC',
  ClusterRoleBinding: 'RBAC',
  MutatingWebhookConfiguration: 'Webhooks',
  ValidatingWebhookConfiguration: 'Webhooks',
  ValidatingAdmissionPolicy: 'Webhooks',
  ValidatingAdmissionPolicyBinding: 'Webhooks',
  CSIDriver: 'CSIDriver',
  PriorityClass: 'PriorityClass',
  LimitRange: 'LimitRange',
  Node: 'Node',
}

const rulesRows: Readonly<Record<string, string>> = {
  Pod: 'Pod',
  PodTemplate: 'Pod',
  Deployment: 'Workloads',
  ReplicaSet: 'Workloads',
  ReplicationController: 'Workloads',
  StatefulSet: 'Workloads',
  DaemonSet: 'Workloads',
  Job: 'Workloads',
  CronJob: 'Workloads',
  Service: 'Service',
  Secret: 'Secret',
  ConfigMap: 'Secret',
  PersistentVolume: 'PVC',
  PersistentVolumeClaim: 'PVC',
  Ingress: 'Ingress',
  NetworkPolicy: 'Ingress',
  HorizontalPodAutoscaler: 'Ingress',
  PodDisruptionBudget: 'Ingress',
  ResourceQuota: 'Ingress',
  LimitRange: 'Ingress',
  Node: 'Node',
  Lease: 'Node',
  CertificateSigningRequest: 'Node',
  MutatingWebhookConfiguration: 'Node',
  ValidatingWebhookConfiguration: 'Node',
}

const known: ReadonlySet<string> = new Set(sections.flatMap(({ rows }) => rows))

/** The rows that the name of a claim ends with. Throws for one that the specification does not have. */
export function rowsOf(claim: string): string[] {
  const rows = /\(([^()]+)\)$/.exec(claim)?.[1]?.split(', ') ?? []
  if (rows.length === 0) throw new Error(`the claim ${JSON.stringify(claim)} names no row of the specification`)
  const unknown = rows.find((row) => !known.has(row))
  if (unknown !== undefined) throw new Error(`the claim ${JSON.stringify(claim)} names a row that the specification does not have: ${unknown}`)
  return rows
}

/** What kubectl does, by the table of section 20: the commands that show it begin so. */
const commandRows: readonly (readonly [row: string, pattern: RegExp])[] = [
  ['get all', /^get all\b/],
  ['get -w', /^get .* (-w|--watch)\b/],
  ['get --raw, version, api-resources, api-versions', /^(get --raw|version|api-resources|api-versions)\b/],
  ['events', /^(events|get events)\b/],
  ['get -o yaml/json/jsonpath', /^get .* -o (yaml|json|jsonpath|custom-columns)/],
  ['get', /^get\b/],
  ['create token', /^create token\b/],
  ['create -f', /^create -f\b/],
  ['create ns/sa/cm/secret/job', /^create\b/],
  ['run / expose', /^(run|expose)\b/],
  ['apply --server-side', /^apply --server-side\b/],
  ['apply', /^apply\b/],
  ['diff', /^diff\b/],
  ['replace', /^replace\b/],
  ['drain / cordon', /^(drain|cordon|uncordon)\b/],
  ['wait / rollout status', /^(wait|rollout status)\b/],
  ['edit, label, annotate, patch, set, taint, scale, rollout', /^(edit|label|annotate|patch|set|taint|scale|rollout)\b/],
  ['delete', /^delete\b/],
  ['autoscale', /^autoscale\b/],
  ['describe', /^describe\b/],
  ['logs', /^logs\b/],
  ['exec, attach, cp, run -i', /^(exec|attach|cp)\b/],
  ['port-forward', /^port-forward\b/],
  ['debug', /^debug\b/],
  ['top', /^top\b/],
  ['auth can-i / --list / whoami / reconcile', /^auth\b/],
  ['explain', /^explain\b/],
  ['cluster-info', /^cluster-info\b/],
]

export const commandSection: Section = { title: 'what kubectl does', rows: commandRows.map(([row]) => row) }

/** Throws for a command that stands in no row. */
export function rowOfCommand(line: string): string {
  const row = commandRows.find(([, pattern]) => pattern.test(line))?.[0]
  if (row === undefined) throw new Error(`the command ${JSON.stringify(line)} stands in no row of the specification`)
  return row
}
