import { useQueries } from '@tanstack/react-query'
import { ApiError } from '../api/api-error.ts'
import type { ConsoleApi } from '../api/console-api.ts'
import type { ResourceType } from '../api/kube-object.ts'
import { apiBase } from '../api/resource-path.ts'
import { useServices } from '../services.tsx'

/** Something that whoever is signed in may want to do: to objects, or with a path. */
export type Wish = {
  readonly verb: string
  /** undefined is the hub. */
  readonly cluster?: string | undefined
} & (
  | { readonly type: Pick<ResourceType, 'group' | 'plural'>; readonly namespace?: string | undefined; readonly name?: string | undefined }
  | { readonly path: string }
)

/** Permissions change rarely, and the server has the last word. */
const freshMs = 15_000

/** Whether each may be done, in the order asked: for buttons that are not to be offered in vain. False until it is known; true when it cannot be found out, as the server then says why not. */
export function useMay(wishes: readonly Wish[]): readonly boolean[] {
  const { api } = useServices()
  return useQueries({
    queries: wishes.map((wish) => ({
      queryKey: ['may', wish.cluster ?? '', attributesOf(wish)],
      queryFn: ({ signal }: { readonly signal: AbortSignal }) => ask(api, wish, signal),
      staleTime: freshMs,
      retry: false,
    })),
    combine: (results) => results.map(({ data, isError }) => data ?? isError),
  })
}

function attributesOf(wish: Wish) {
  const { verb } = wish
  if ('path' in wish) return { nonResourceAttributes: { verb, path: wish.path } }
  const { type, namespace, name } = wish
  return { resourceAttributes: { verb, group: type.group, resource: type.plural, namespace, name } }
}

async function ask(api: ConsoleApi, wish: Wish, signal: AbortSignal): Promise<boolean> {
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: attributesOf(wish),
  }
  try {
    const path = `${apiBase(wish.cluster)}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews`
    const { status } = await api.json<{ readonly status?: { readonly allowed?: boolean } }>(path, { method: 'POST', body, signal })
    return status?.allowed === true
  } catch (error) {
    // Who may not even ask has nothing there.
    if (error instanceof ApiError && error.code === 403) return false
    throw error
  }
}
