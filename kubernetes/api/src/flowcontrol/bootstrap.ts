import { fieldInvalid } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import type { FlowSchemaSpec, FlowcontrolSubject, NonResourcePolicyRule, PriorityLevelConfigurationSpec, ResourcePolicyRule } from '../generated/types.ts'

// Upstream: apiserver pkg/apis/flowcontrol/bootstrap/default.go.

const everything: ResourcePolicyRule = { verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }
const everyPath: NonResourcePolicyRule = { verbs: ['*'], nonResourceURLs: ['*'] }
const everyone = ['system:unauthenticated', 'system:authenticated'].map(group)
const byUser = { type: 'ByUser' }
const byNamespace = { type: 'ByNamespace' }

function group(name: string): FlowcontrolSubject {
  return { kind: 'Group', group: { name } }
}

function user(name: string): FlowcontrolSubject {
  return { kind: 'User', user: { name } }
}

function accountsOf(namespace: string): FlowcontrolSubject {
  return { kind: 'ServiceAccount', serviceAccount: { namespace, name: '*' } }
}

function limited(shares: number, lendablePercent: number, queuing?: { readonly queues: number; readonly handSize: number }): PriorityLevelConfigurationSpec {
  return {
    type: 'Limited',
    limited: {
      nominalConcurrencyShares: shares,
      limitResponse: queuing === undefined ? { type: 'Reject' } : { type: 'Queue', queuing: { ...queuing, queueLengthLimit: 50 } },
      lendablePercent,
    },
  }
}

/** The priority levels of every cluster (G3). */
export const bootstrapPriorityLevels: Readonly<Record<string, PriorityLevelConfigurationSpec>> = {
  exempt: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } },
  'catch-all': limited(5, 0),
  system: limited(30, 33, { queues: 64, handSize: 6 }),
  'node-high': limited(40, 25, { queues: 64, handSize: 6 }),
  'leader-election': limited(10, 0, { queues: 16, handSize: 4 }),
  'workload-high': limited(40, 50, { queues: 128, handSize: 6 }),
  'workload-low': limited(100, 90, { queues: 128, handSize: 6 }),
  'global-default': limited(20, 50, { queues: 128, handSize: 6 }),
}

/** The flow schemas of every cluster (G3). */
export const bootstrapFlowSchemas: Readonly<Record<string, FlowSchemaSpec>> = {
  exempt: schema('exempt', 1, { subjects: [group('system:masters')] }),
  probes: schema('exempt', 2, {
    subjects: everyone,
    resourceRules: [],
    nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }],
  }),
  'system-leader-election': schema('leader-election', 100, {
    subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler'), accountsOf('kube-system')],
    resourceRules: [{ verbs: ['get', 'create', 'update'], apiGroups: ['coordination.k8s.io'], resources: ['leases'], namespaces: ['*'] }],
    nonResourceRules: [],
    method: byUser,
  }),
  'system-node-high': schema('node-high', 400, {
    subjects: [group('system:nodes')],
    resourceRules: [
      { verbs: ['*'], apiGroups: [''], resources: ['nodes', 'nodes/status'], clusterScope: true, namespaces: ['*'] },
      { verbs: ['*'], apiGroups: ['coordination.k8s.io'], resources: ['leases'], namespaces: ['*'] },
    ],
    nonResourceRules: [],
    method: byUser,
  }),
  'system-nodes': schema('system', 500, { subjects: [group('system:nodes')], method: byUser }),
  'kube-controller-manager': schema('workload-high', 800, { subjects: [user('system:kube-controller-manager')], method: byNamespace }),
  'kube-scheduler': schema('workload-high', 800, { subjects: [user('system:kube-scheduler')], method: byNamespace }),
  'kube-system-service-accounts': schema('workload-high', 900, { subjects: [accountsOf('kube-system')], method: byNamespace }),
  'service-accounts': schema('workload-low', 9000, { subjects: [group('system:serviceaccounts')], method: byUser }),
  'global-default': schema('global-default', 9900, { subjects: everyone, method: byUser }),
  'catch-all': schema('catch-all', 10_000, { subjects: everyone, method: byUser }),
}

function schema(
  level: string,
  matchingPrecedence: number,
  rest: {
    readonly subjects: FlowcontrolSubject[]
    readonly resourceRules?: ResourcePolicyRule[]
    readonly nonResourceRules?: NonResourcePolicyRule[]
    readonly method?: { readonly type: string }
  },
): FlowSchemaSpec {
  const { subjects, resourceRules = [everything], nonResourceRules = [everyPath], method } = rest
  return {
    priorityLevelConfiguration: { name: level },
    matchingPrecedence,
    ...(method === undefined ? {} : { distinguisherMethod: { ...method } }),
    rules: [{ subjects, ...(resourceRules.length === 0 ? {} : { resourceRules }), ...(nonResourceRules.length === 0 ? {} : { nonResourceRules }) }],
  }
}

const mandatory: ReadonlySet<string> = new Set(['exempt', 'catch-all'])

/** `exempt` and `catch-all` are what they are; only the shares of the exempt level may change. */
export function fixedSpecProblem(kind: 'FlowSchema' | 'PriorityLevelConfiguration', object: ApiObject): FieldError[] {
  const { name } = object.metadata
  if (!mandatory.has(name)) return []
  const isExemptLevel = kind === 'PriorityLevelConfiguration' && name === 'exempt'
  const wanted = kind === 'FlowSchema' ? bootstrapFlowSchemas[name] : bootstrapPriorityLevels[name]
  const compared = (spec: object | undefined): string => JSON.stringify(sorted(isExemptLevel ? { ...spec, exempt: undefined } : spec))
  if (compared(object['spec'] as object | undefined) === compared(wanted)) return []
  return [fieldInvalid('spec', object['spec'], `spec of '${name}'${isExemptLevel ? " except the 'spec.exempt' field" : ''} must equal the fixed value`)]
}

/** With the keys of every object in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  )
}
