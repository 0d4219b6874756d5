import { fieldForbidden } from '@gantry/apimachinery'
import type { Node } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'

const roleLabelPrefix = 'node-role.kubernetes.io/'

export const node: BuiltinKind = {
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  shortNames: ['no'],
  namespaced: false,
  type: 'io.k8s.api.core.v1.Node',
  groupPriority: 18000,
  hasStatus: true,
  allowUnconditionalUpdate: true,
  selectableFields: { 'spec.unschedulable': (object) => String(as<Node>(object).spec?.unschedulable ?? false) },
  columns: [
    nameCell,
    column<Node>('Status', statusOf, { description: 'Ready, NotReady or Unknown, and whether new pods may come.' }),
    column<Node>('Roles', rolesOf, { description: 'Roles, from the labels.' }),
    ageCell,
    column<Node>('Version', (object) => object.status?.nodeInfo?.kubeletVersion ?? '', { description: 'Version of the node agent.' }),
    column<Node>('Internal-IP', (object) => addressOf(object, 'InternalIP'), { wide: true }),
    column<Node>('External-IP', (object) => addressOf(object, 'ExternalIP'), { wide: true }),
    column<Node>('OS-Image', (object) => object.status?.nodeInfo?.osImage || '<unknown>', { wide: true }),
    column<Node>('Kernel-Version', (object) => object.status?.nodeInfo?.kernelVersion || '<unknown>', { wide: true }),
    column<Node>('Container-Runtime', (object) => object.status?.nodeInfo?.containerRuntimeVersion || '<unknown>', { wide: true }),
  ],
  // TaintNodesByCondition (M12): a node that has not reported yet takes no pods. The status given at creation is kept, as upstream keeps it.
  prepareForCreate(object) {
    const { spec = {} } = as<Node>(object)
    const key = 'node.kubernetes.io/not-ready'
    if (!(spec.taints ?? []).some((taint) => taint.key === key && taint.effect === 'NoSchedule')) {
      object['spec'] = { ...spec, taints: [...(spec.taints ?? []), { key, effect: 'NoSchedule' }] }
    }
  },
  keepsStatusOnCreate: true,
  applyDefaults(object) {
    const { status } = as<Node>(object)
    if (status?.capacity !== undefined) status.allocatable ??= { ...status.capacity }
  },
  validateUpdate(object, old) {
    const [next, before] = [as<Node>(object).spec ?? {}, as<Node>(old).spec ?? {}]
    const changed = (before.podCIDR ?? '') !== '' && next.podCIDR !== before.podCIDR
    const provider = (before.providerID ?? '') !== '' && next.providerID !== before.providerID
    return changed || provider
      ? [
          fieldForbidden(
            'spec',
            'node updates may only change labels, taints, or capacity (or configSource, if the DynamicKubeletConfig feature gate is enabled)',
          ),
        ]
      : []
  },
}

function statusOf({ spec, status }: Node): string {
  const ready = (status?.conditions ?? []).find((condition) => condition.type === 'Ready')
  const health = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'
  return spec?.unschedulable === true ? `${health},SchedulingDisabled` : health
}

function rolesOf({ metadata }: Node): string {
  const roles = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(roleLabelPrefix) && key.length > roleLabelPrefix.length) return [key.slice(roleLabelPrefix.length)]
    return key === 'kubernetes.io/role' && value !== '' ? [value] : []
  })
  return roles.length === 0 ? '<none>' : [...new Set(roles)].sort().join(',')
}

function addressOf({ status }: Node, type: string): string {
  return (status?.addresses ?? []).find((address) => address.type === type)?.address ?? '<none>'
}
