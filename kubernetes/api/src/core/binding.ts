import type { BuiltinKind } from '../kind.ts'

/** The older way to bind: the body names the pod. */
export const binding: BuiltinKind = {
  group: '',
  version: 'v1',
  kind: 'Binding',
  plural: 'bindings',
  namespaced: true,
  type: 'io.k8s.api.core.v1.Binding',
  groupPriority: 18000,
  verbs: ['create'],
  createsThrough: { plural: 'pods', subresource: 'binding' },
}
