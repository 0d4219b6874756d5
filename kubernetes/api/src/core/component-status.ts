import { StatusError } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import type { ComponentStatus } from '../generated/types.ts'
import { column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'

/** One part of the control plane. */
export interface ComponentHealth {
  readonly name: string
  readonly isHealthy: boolean
  /** `ok`, or why not. */
  readonly message: string
}

/** Worked out for every read: `health` is asked each time and answers at once. */
export function componentStatus(health: () => readonly ComponentHealth[]): BuiltinKind {
  const objectOf = ({ name, isHealthy, message }: ComponentHealth): ApiObject =>
    ({
      kind: 'ComponentStatus',
      apiVersion: 'v1',
      metadata: { name, creationTimestamp: null },
      conditions: [{ type: 'Healthy', status: isHealthy ? 'True' : 'False', message }],
    }) as unknown as ApiObject
  return {
    group: '',
    version: 'v1',
    kind: 'ComponentStatus',
    plural: 'componentstatuses',
    shortNames: ['cs'],
    namespaced: false,
    type: 'io.k8s.api.core.v1.ComponentStatus',
    groupPriority: 18000,
    verbs: ['get', 'list'],
    deprecationWarning: 'v1 ComponentStatus is deprecated in v1.19+',
    columns: [
      nameCell,
      column<ComponentStatus>('Status', (object) => stateOf(object), { description: 'Healthy, Unhealthy or Unknown.' }),
      column<ComponentStatus>('Message', (object) => healthyCondition(object)?.message ?? '', { description: 'What the part says of itself.' }),
      column<ComponentStatus>('Error', (object) => healthyCondition(object)?.error ?? '', { description: 'Why it could not be asked.' }),
    ],
    compute: {
      list: () => health().map(objectOf),
      get(name) {
        const found = health().find((component) => component.name === name)
        if (found !== undefined) return objectOf(found)
        // Upstream names the resource so, in the singular.
        throw new StatusError('NotFound', `componentstatus ${JSON.stringify(name)} not found`, { details: { name, kind: 'componentstatus' } })
      },
    },
  }
}

function healthyCondition(object: ComponentStatus): NonNullable<ComponentStatus['conditions']>[number] | undefined {
  return object.conditions?.find(({ type }) => type === 'Healthy')
}

function stateOf(object: ComponentStatus): string {
  const condition = healthyCondition(object)
  return condition === undefined ? 'Unknown' : condition.status === 'True' ? 'Healthy' : 'Unhealthy'
}
