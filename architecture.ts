/**
 * Who may import whom, as data: `tools/check-architecture.ts` holds the tree to it and prints `because` with every refusal. A part is `packages/<name>`,
 * `kubernetes/<name>`, `features/<name>/<role>`, `apps/<name>` or a folder at the root; `*` stands for one name. A part may always import itself.
 */
export interface Direction {
  readonly from: string
  readonly to: readonly string[]
  /** Of these only types, which are gone when it runs. */
  readonly types?: readonly string[]
  readonly because: string
}

const client = 'it is a client of the API like any other: it reads and writes objects and never touches the server or its storage'
const machineryFirst = 'machinery serves every feature and every kind, so it can know none of them'

/** The first line that matches the importing part counts. */
export const directions: readonly Direction[] = [
  { from: 'packages/runtime', to: [], because: 'the ports stand below everything' },
  { from: 'packages/apimachinery', to: ['packages/runtime'], because: 'the rules of the API are pure: server, clients and browser share them' },
  { from: 'packages/storage', to: ['packages/runtime'], because: 'a store keeps bytes under keys and knows nothing of what they mean' },
  { from: 'packages/cel', to: ['packages/apimachinery', 'packages/runtime'], because: 'the expression language knows values and types, no kind and no server' },
  { from: 'packages/streams', to: ['packages/runtime'], because: 'framing knows bytes and sockets, not objects' },
  {
    from: 'packages/apiserver',
    to: ['packages/storage', 'packages/apimachinery', 'packages/streams', 'packages/runtime'],
    because: 'the API server is generic: kinds and their rules are handed to it',
  },
  {
    from: 'packages/client',
    to: ['packages/apimachinery', 'packages/streams', 'packages/runtime'],
    because: 'a client speaks to any Kubernetes API, ours is one of them',
  },
  { from: 'packages/controller', to: ['packages/client', 'packages/apimachinery', 'packages/runtime'], because: client },
  {
    from: 'packages/gateway',
    to: ['packages/client', 'packages/apimachinery', 'packages/streams', 'packages/runtime'],
    because: 'the gateway passes requests on; what they mean is the business of the API behind it',
  },
  {
    from: 'packages/console-kit',
    to: ['packages/apimachinery'],
    because: 'the browser loads it: it speaks to the platform over HTTP and knows no page of a feature',
  },
  { from: 'packages/cli-kit', to: ['packages/client', 'packages/apimachinery', 'packages/runtime'], because: machineryFirst },
  { from: 'packages/*', to: ['packages/runtime', 'packages/apimachinery', 'packages/client'], because: machineryFirst },

  {
    from: 'kubernetes/api',
    to: ['packages/apimachinery', 'packages/apiserver', 'packages/cel', 'packages/client', 'packages/streams', 'packages/runtime'],
    because: 'the built-in kinds are data and rules for the generic API server; controllers and nodes are clients of it',
  },
  {
    from: 'kubernetes/access',
    to: ['kubernetes/api', 'packages/apimachinery', 'packages/apiserver', 'packages/cel', 'packages/client', 'packages/runtime'],
    because: 'it decides about requests inside the API server and reads objects only',
  },
  {
    from: 'kubernetes/cluster',
    to: ['kubernetes/*', 'packages/*'],
    because: 'it joins the parts of the local cluster and knows nothing of the platform above it',
  },
  {
    from: 'kubernetes/*',
    to: ['kubernetes/api', 'packages/apimachinery', 'packages/client', 'packages/controller', 'packages/streams', 'packages/runtime'],
    because: client,
  },

  {
    from: 'features/*/api',
    to: ['packages/apimachinery', 'features/*/api'],
    types: ['packages/client', 'packages/gateway'],
    because: 'browser, command line and server all load it: kinds and pure functions only',
  },
  {
    from: 'features/*/server',
    to: ['features/*/api', 'packages/apiserver', 'packages/gateway', 'packages/client', 'packages/apimachinery', 'packages/runtime'],
    because: 'a feature meets another one through its api and through objects; storage is behind the API server',
  },
  {
    from: 'features/*/controller',
    to: ['features/*/api', 'packages/controller', 'packages/gateway', 'packages/client', 'packages/apimachinery', 'packages/runtime'],
    because: client,
  },
  {
    from: 'features/*/console',
    to: ['features/*/api', 'packages/console-kit', 'packages/apimachinery'],
    because: 'a page is a description; the kit speaks to the platform',
  },
  { from: 'features/*/cli', to: ['features/*/api', 'packages/cli-kit', 'packages/client', 'packages/apimachinery', 'packages/runtime'], because: client },

  { from: 'apps/console', to: ['features/*/api', 'features/*/console', 'packages/console-kit'], because: 'the browser loads it' },
  {
    from: 'apps/gantry',
    to: ['apps/agent', 'features/*/*', 'kubernetes/*', 'packages/*'],
    because: 'one binary: it carries the agent as a command, and wires parts',
  },
  { from: 'apps/*', to: ['features/*/*', 'kubernetes/*', 'packages/*'], because: 'apps wire parts; no app is a part of another' },

  { from: 'tools', to: ['architecture.ts', 'packages/apimachinery'], because: 'tools run on a tree that may be broken' },
  { from: 'conformance', to: ['packages/*', 'kubernetes/*', 'features/*/*'], because: 'nothing imports an app' },
  { from: 'e2e', to: ['packages/*', 'kubernetes/*', 'features/*/*', 'conformance'], because: 'nothing imports an app: it is started as users start it' },
  { from: 'bench', to: ['packages/*', 'kubernetes/*', 'features/*/*', 'conformance'], because: 'nothing imports an app: it is started as users start it' },
]

/** Tests may join what their part may not: the real parts around it. Still no app, and nothing below may lean on a feature. */
export const testDirections: readonly Direction[] = [
  { from: 'packages/*', to: ['packages/*', 'kubernetes/*'], because: machineryFirst },
  { from: 'kubernetes/*', to: ['packages/*', 'kubernetes/*'], because: 'the local cluster knows nothing of the platform above it' },
  { from: 'tools', to: ['packages/*'], because: 'tools run on a tree that may be broken' },
  { from: 'apps/gantry', to: ['apps/agent', 'packages/*', 'kubernetes/*', 'features/*/*', 'conformance'], because: 'one binary: it carries the agent' },
  { from: '*', to: ['packages/*', 'kubernetes/*', 'features/*/*', 'conformance'], because: 'nothing imports an app' },
  { from: '*/*', to: ['packages/*', 'kubernetes/*', 'features/*/*', 'conformance'], because: 'nothing imports an app' },
  { from: '*/*/*', to: ['packages/*', 'kubernetes/*', 'features/*/*', 'conformance'], because: 'nothing imports an app' },
]

/** What a browser loads may not import a module of Node. */
export const browserParts: readonly string[] = ['packages/apimachinery', 'packages/console-kit', 'features/*/api', 'features/*/console', 'apps/console']

export interface KindNames {
  readonly in: readonly string[]
  readonly because: string
  readonly names: readonly string[]
  /** Where such a word is meant after all, with the reason. */
  readonly exceptions: readonly { readonly file: string; readonly names: readonly string[]; readonly because: string }[]
}

/** Machinery iterates, features name: a kind's name in a string under `packages/` is a bug. */
export const kindNames: KindNames = {
  in: ['packages/*'],
  because: 'machinery names no kind: take it as data, or move this to kubernetes/ or to a feature',
  names: [
    'Namespace Node Pod PodTemplate ReplicationController Service ServiceAccount Endpoints ConfigMap Secret Event LimitRange',
    'ResourceQuota PersistentVolume PersistentVolumeClaim Deployment ReplicaSet StatefulSet DaemonSet ControllerRevision Job',
    'CronJob HorizontalPodAutoscaler PodDisruptionBudget Ingress IngressClass NetworkPolicy EndpointSlice Lease Role',
    'RoleBinding ClusterRole ClusterRoleBinding StorageClass PriorityClass RuntimeClass CustomResourceDefinition',
  ].flatMap((line) => line.split(' ')),
  exceptions: [
    { file: 'packages/controller/src/event-recorder.ts', names: ['Event'], because: 'every controller reports by events: recording them is machinery' },
    { file: 'packages/controller/src/leader-election.ts', names: ['Lease'], because: 'several processes of any controller agree by it on who works' },
    { file: 'packages/apimachinery/src/object-meta.ts', names: ['Event'], because: 'upstream refuses this one kind as an owner, for every kind of dependent' },
    { file: 'packages/console-kit/src/i18n/kit-strings.ts', names: ['Namespace'], because: 'a label on the screen' },
  ],
}

/** A checker that has read nothing finds nothing wrong. */
export const fewestFiles: number = 250
