import { useQueries } from '@tanstack/react-query'
import { ApiError } from '../api/api-error.ts'
import type { ConsoleApi } from '../api/console-api.ts'
import type { ResourceType } from '../api/kube-object.ts'
import { apiBase } from '../api/resource-path.ts'
import { useServices } from '../services.tsx'

/** Something that whoever is signed in may want to do. */
export interface Wish {
  readonly verb: string
  /** undefined is the hub. */
  readonly cluster?: string | undefined
  readonly type: Pick<ResourceType, 'group' | 'plural'>
  readonly namespace?: string | undefined
  readonly name?: string | undefined
}

/** Permissions change rarely, and the server has the last word. */
const freshMs = 15_000

/** Whether each may be done, in the order asked: for buttons that are not to be offered in vain. False until it is known; true when it cannot be found out, as the server then says why not. */
export function useMay(wishes: readonly Wish[]): readonly boolean[] {
  const { api } = useServices()
  return useQueries({
    queries: wishes.map((wish) => ({
      queryKey: ['may', wish.cluster ?? '', wish.verb, wish.type.group, wish.type.plural, wish.namespace ?? '', wish.name ?? ''],
      queryFn: ({ signal }: { readonly signal: AbortSignal }) => ask(api, wish, signal),
      staleTime: freshMs,
      retry: false,
    })),
    combine: (results) => results.map(({ data, isError }) => data ?? isError),
  })
}

async function ask(api: ConsoleApi, { verb, cluster, type, namespace, name }: Wish, signal: AbortSignal): Promise<boolean> {
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { verb, group: type.group, resource: type.plural, namespace, name } },
  }
  try {
    const path = `${apiBase(cluster)}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews`
    const { status } = await api.json<{ readonly status?: { readonly allowed?: boolean } }>(path, { method: 'POST', body, signal })
    return status?.allowed === true
  } catch (error) {
    // Who may not even ask has nothing there.
    if (error instanceof ApiError && error.code === 403) return false
    throw error
  }
}
