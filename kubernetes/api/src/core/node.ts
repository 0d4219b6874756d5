import type { Node } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { networkWarnings } from '../networking/addresses.ts'
import { validateNode, validateNodeUpdate } from './node-validation.ts'
import { roundAmounts } from './resource-defaults.ts'

const roleLabelPrefix = 'node-role.kubernetes.io/'

export const node: BuiltinKind = {
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  shortNames: ['no'],
  namespaced: false,
  metaChecksOnUpdate: 'both',
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
    column<Node>('Internal-IP', (object) => addressOf(object, 'InternalIP'), { wide: true, description: 'Its address within the cluster.' }),
    column<Node>('External-IP', (object) => addressOf(object, 'ExternalIP'), { wide: true, description: 'Its address from outside.' }),
    column<Node>('OS-Image', (object) => object.status?.nodeInfo?.osImage || '<unknown>', { wide: true, description: 'Its operating system.' }),
    column<Node>('Kernel-Version', (object) => object.status?.nodeInfo?.kernelVersion || '<unknown>', {
      wide: true,
      description: 'The version of its kernel.',
    }),
    column<Node>('Container-Runtime', (object) => object.status?.nodeInfo?.containerRuntimeVersion || '<unknown>', {
      wide: true,
      description: 'What runs its containers.',
    }),
  ],
  // A node comes with what it knows of itself.
  keepsStatusOnCreate: true,
  applyDefaults(object) {
    const { spec, status } = as<Node>(object)
    roundAmounts(status?.capacity)
    roundAmounts(status?.allocatable)
    if (status?.capacity !== undefined) status.allocatable ??= { ...status.capacity }
    if (spec === undefined) return
    // Two fields for the same: the first of the list and the single one.
    const { podCIDR = '', podCIDRs = [] } = spec
    if (podCIDR !== '' && podCIDR !== podCIDRs[0]) spec.podCIDRs = [podCIDR]
    else if (podCIDR === '' && podCIDRs[0] !== undefined) [spec.podCIDR] = podCIDRs
  },
  warnings(object) {
    const { configSource, externalID = '', podCIDRs = [] } = as<Node>(object).spec ?? {}
    return [
      ...(configSource === undefined ? [] : ['spec.configSource: the feature is removed']),
      ...(externalID === '' ? [] : ['spec.externalID: this field is deprecated, and is unused by Kubernetes']),
      ...podCIDRs.flatMap((network, i) => networkWarnings(`spec.podCIDRs[${i}]`, network)),
    ]
  },
  prepareForCreate: (object) => dropConfigSource(as<Node>(object), undefined),
  prepareForUpdate: (object, old) => dropConfigSource(as<Node>(object), as<Node>(old)),
  validate: (object) => validateNode(as<Node>(object), { checksNetworks: true }),
  validateUpdate: (object, old) => validateNodeUpdate(as<Node>(object), as<Node>(old)),
  validateStatusUpdate: (object, old) => validateNodeUpdate(as<Node>(object), as<Node>(old)),
}

/** The feature behind it is gone: only a node that has one from before keeps it. */
function dropConfigSource({ spec }: Node, old: Node | undefined): void {
  if (old?.spec?.configSource === undefined) delete spec?.configSource
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
