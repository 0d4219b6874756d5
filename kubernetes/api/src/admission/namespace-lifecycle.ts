import type { AdmissionPlugin, ApiObject } from '@gantry/apiserver'
import { refusal } from '@gantry/apiserver'
import { StatusError } from '@gantry/apimachinery'
import type { Namespace } from '../generated/types.ts'
import { as } from '../kind.ts'

/** Nothing is created in a namespace that is missing or on its way out (C2). */
export function namespaceLifecycle(namespaceOf: (name: string) => ApiObject | undefined): AdmissionPlugin {
  return {
    name: 'NamespaceLifecycle',
    mutate(request) {
      const { definition, namespace } = request
      if (request.operation !== 'CREATE' || !definition.namespaced || namespace === undefined) return
      const found = namespaceOf(namespace)
      if (found === undefined) {
        throw new StatusError('NotFound', `namespaces ${JSON.stringify(namespace)} not found`, { details: { name: namespace, kind: 'namespaces' } })
      }
      // A review of access asks about a namespace; it changes nothing in it.
      if (as<Namespace>(found).status?.phase !== 'Terminating' || definition.create !== undefined) return
      throw refusal(request, `unable to create new content in namespace ${namespace} because it is being terminated`, [
        { reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' },
      ])
    },
  }
}
