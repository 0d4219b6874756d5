import { dns1123SubdomainProblems, fieldInvalid, fieldIsImmutable, fieldRequired, pathSegmentProblems } from '@gantry/apimachinery'
import type { IPAddress, IPAddressSpec, ParentReference } from '../generated/types.ts'
import { as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { validateAddress } from './addresses.ts'
import { validateSegment } from './ingress.ts'

export const ipAddress: BuiltinKind = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IPAddress',
  plural: 'ipaddresses',
  shortNames: ['ip'],
  namespaced: false,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.networking.v1.IPAddress',
  groupPriority: 17200,
  allowUnconditionalUpdate: true,
  validateName: (name) => validateAddress('', name).map(({ detail }) => detail),
  // No age: upstream has none here either.
  columns: [nameCell, column<IPAddress>('ParentRef', ({ spec }) => formatParent(parentOf(spec)), { description: 'The object that holds the address.' })],
  validate(object) {
    const parent = parentOf(as<IPAddress>(object).spec)
    const path = 'spec.parentRef'
    if (parent === undefined) return [fieldRequired(path)]
    const { group = '', namespace = '' } = parent
    return [
      ...(group === '' ? [] : dns1123SubdomainProblems(group).map((problem) => fieldInvalid(`${path}.group`, group, problem))),
      ...validateSegment(parent.resource, `${path}.resource`),
      ...validateSegment(parent.name, `${path}.name`),
      ...pathSegmentProblems(namespace).map((problem) => fieldInvalid(`${path}.namespace`, namespace, problem)),
    ]
  },
  validateUpdate(object, old) {
    const [next, before] = [parentOf(as<IPAddress>(object).spec), parentOf(as<IPAddress>(old).spec)]
    const fields = ['group', 'resource', 'namespace', 'name'] as const
    if (fields.every((field) => (next?.[field] ?? '') === (before?.[field] ?? ''))) return []
    // Upstream shows its internal type.
    const shown = { Group: next?.group ?? '', Resource: next?.resource ?? '', Namespace: next?.namespace ?? '', Name: next?.name ?? '' }
    return [fieldInvalid('spec.parentRef', next === undefined ? null : shown, fieldIsImmutable)]
  },
}

/** Required, a manifest may still leave it out. */
function parentOf(spec: IPAddressSpec | undefined): ParentReference | undefined {
  return (spec as { parentRef: ParentReference | null } | undefined)?.parentRef ?? undefined
}

function formatParent(parent: ParentReference | undefined): string {
  if (parent === undefined) return '<none>'
  const { group = '', resource, namespace = '', name } = parent
  return `${`${resource}${group === '' ? '' : `.${group}`}`.toLowerCase()}${namespace === '' ? '' : `/${namespace}`}/${name}`
}
