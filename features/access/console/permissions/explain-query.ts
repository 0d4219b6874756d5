import type { ExplainRequest } from '../../api/index.ts'

/** What a page asks, as it is typed and as it stands in its address. */
export interface Asked {
  readonly user: string
  readonly verb: string
  /** `pods`, `deployments.apps`, `pods/exec`, or a path such as /metrics. */
  readonly resource: string
  readonly name: string
  readonly cluster: string
  readonly namespace: string
}

export const askedFields = ['user', 'verb', 'resource', 'name', 'cluster', 'namespace'] as const satisfies readonly (keyof Asked)[]

export function askedOf(get: (field: string) => string): Asked {
  return { user: get('user'), verb: get('verb'), resource: get('resource'), name: get('name'), cluster: get('cluster'), namespace: get('namespace') }
}

/** In place of a user: who may do it is asked. */
export const everybody = '*'

/** Undefined while it is no question yet. Of everybody it names no user. */
export function explainRequest(asked: Asked): ExplainRequest | undefined {
  const [verb, what] = [asked.verb.trim(), asked.resource.trim()]
  if (verb === '' || what === '') return undefined
  const given = (field: 'user' | 'name' | 'cluster' | 'namespace'): Partial<ExplainRequest> => {
    const value = asked[field].trim()
    return value === '' || (field === 'user' && value === everybody) ? {} : { [field]: value }
  }
  if (what.startsWith('/')) return { ...given('user'), verb, path: what, ...given('cluster') }
  const [full = '', ...below] = what.split('/')
  const [resource = '', ...group] = full.split('.')
  return {
    ...given('user'),
    verb,
    resource,
    group: group.join('.'),
    subresource: below.join('/'),
    ...given('name'),
    ...given('cluster'),
    ...given('namespace'),
  }
}
