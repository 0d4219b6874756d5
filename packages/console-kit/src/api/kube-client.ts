import type { ConsoleApi, RequestOptions } from './console-api.ts'
import type { KubeObject, ResourceType } from './kube-object.ts'
import { apiBase, queryString, resourcePath } from './resource-path.ts'

export interface ObjectRef {
  /** undefined is the hub itself. */
  readonly cluster: string | undefined
  readonly type: ResourceType
  readonly namespace?: string | undefined
  readonly name: string
}

export type PropagationPolicy = 'Background' | 'Foreground' | 'Orphan'

export interface DeleteChoice {
  readonly propagationPolicy?: PropagationPolicy | undefined
  readonly gracePeriodSeconds?: number | undefined
  /** Refuses to delete a namesake that was created in the meantime. */
  readonly uid?: string | undefined
  /** Refuses to delete what has changed since. */
  readonly resourceVersion?: string | undefined
}

/** Reads and writes of single objects. Name the owner when you hold one: `memberClient`, `hubClient`. */
export interface KubeClient {
  get<T extends KubeObject>(ref: ObjectRef, options?: { readonly signal?: AbortSignal }): Promise<T>
  create<T extends KubeObject>(target: Omit<ObjectRef, 'name'>, object: T, options?: WriteChoice): Promise<T>
  replace<T extends KubeObject>(ref: ObjectRef, object: T, options?: WriteChoice): Promise<T>
  mergePatch(ref: ObjectRef, patch: unknown, options?: WriteChoice & { readonly subresource?: string }): Promise<KubeObject>
  apply<T extends KubeObject>(ref: ObjectRef, object: T, options?: WriteChoice & { readonly force?: boolean }): Promise<KubeObject>
  delete(ref: ObjectRef, choice?: DeleteChoice): Promise<void>
}

export interface WriteChoice {
  readonly dryRun?: boolean | undefined
}

/** The name this console signs its writes with in `managedFields`. */
const fieldManager = 'gantry-console'

export function createKubeClient(api: ConsoleApi): KubeClient {
  function url(
    ref: Omit<ObjectRef, 'name'> & { readonly name?: string; readonly subresource?: string | undefined },
    query: Parameters<typeof queryString>[0],
  ): string {
    return apiBase(ref.cluster) + resourcePath(ref.type, ref) + queryString(query)
  }
  const writeQuery = (options: WriteChoice | undefined): Parameters<typeof queryString>[0] => ({
    fieldManager,
    fieldValidation: 'Strict',
    dryRun: options?.dryRun === true ? 'All' : undefined,
  })
  const write = (method: RequestOptions['method'], body: unknown): RequestOptions => ({ method, body })

  return {
    get: (ref, options) => api.json(url(ref, {}), { signal: options?.signal }),
    create: (target, object, options) => api.json(url(target, writeQuery(options)), write('POST', object)),
    replace: (ref, object, options) => api.json(url(ref, writeQuery(options)), write('PUT', object)),
    mergePatch: (ref, patch, options) =>
      api.json(url({ ...ref, subresource: options?.subresource }, writeQuery(options)), {
        ...write('PATCH', patch),
        contentType: 'application/merge-patch+json',
      }),
    apply: (ref, object, options) =>
      api.json(url(ref, { ...writeQuery(options), force: options?.force === true ? true : undefined }), {
        ...write('PATCH', object),
        contentType: 'application/apply-patch+yaml',
      }),
    async delete(ref, choice = {}) {
      const { uid, resourceVersion, ...options } = choice
      const preconditions = uid === undefined && resourceVersion === undefined ? {} : { preconditions: { uid, resourceVersion } }
      const body = { kind: 'DeleteOptions', apiVersion: 'v1', ...options, ...preconditions }
      await api.json(url(ref, {}), write('DELETE', body))
    },
  }
}
