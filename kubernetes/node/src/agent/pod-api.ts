import { isReason } from '@gantry/apimachinery'
import { resources } from '@gantry/kube-api'
import type { KubeClient, KubeObject } from '@gantry/client'
import type { Clock, Logger } from '@gantry/runtime'
import { serviceVariablesOf } from '../pod/environment.ts'
import type { ConfigSource, ServiceForVariables } from '../pod/environment.ts'
import { identityOf } from '../pod/pod.ts'
import type { Pod, PodIdentity, PodStatus } from '../pod/pod.ts'
import type { TokenRequest } from '../volumes/volume-files.ts'

/** As an item of a list in a strategic patch: the list is the whole one. */
const replaceList = { $patch: 'replace' } as const

/** What the agent reads and writes in the API on behalf of a pod. */
export interface PodApi {
  source(namespace: string): ConfigSource
  /** Variables of the services in the pod's namespace, and of the API itself. */
  serviceVariables(pod: Pod): Promise<Readonly<Record<string, string>>>
  /** A token of the pod's service account, kept until most of its life is over. Undefined where the API has no such tokens. */
  token(pod: Pod, request: TokenRequest): Promise<string | undefined>
  writeStatus(identity: PodIdentity, status: PodStatus): Promise<void>
  /** The last step of a pod's end: takes the object away, if it still is the same pod. */
  confirmDeletion(identity: PodIdentity): Promise<void>
  forget(uid: string): void
}

interface ConfigObject extends KubeObject {
  type?: string
  data?: Record<string, string>
  binaryData?: Record<string, string>
}

interface ServiceObject extends KubeObject {
  spec?: { clusterIP?: string; ports?: { name?: string; port: number; protocol?: string }[] }
}

interface CachedToken {
  readonly token: string
  readonly renewAtMs: number
}

/** Upstream: token_manager.go: a token is renewed at 80 % of its life, and after 24 h at the latest. */
const renewAtFraction = 0.8
const maxTokenAgeMs = 24 * 3_600_000

export function createPodApi(deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger }): PodApi {
  const { client, clock } = deps
  const tokens = new Map<string, Map<string, CachedToken>>()

  async function find(kind: 'configMaps' | 'secrets', namespace: string, name: string): Promise<ConfigObject | undefined> {
    try {
      return await client.get<ConfigObject>(resources[kind], { namespace, name })
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined
      throw error
    }
  }

  return {
    source: (namespace) => ({
      async configMap(name) {
        const object = await find('configMaps', namespace, name)
        return object === undefined ? undefined : { data: object.data ?? {}, binaryData: decoded(object.binaryData) }
      },
      async secret(name) {
        const object = await find('secrets', namespace, name)
        return object === undefined ? undefined : { type: object.type ?? '', data: decoded(object.data) }
      },
    }),

    async serviceVariables(pod) {
      const { namespace } = identityOf(pod)
      const links = pod.spec.enableServiceLinks ?? true
      const own = links ? (await client.list<ServiceObject>(resources.services, { namespace })).items : []
      const api = await client.get<ServiceObject>(resources.services, { namespace: 'default', name: 'kubernetes' }).catch((error: unknown) => {
        if (isReason(error, 'NotFound')) return undefined
        throw error
      })
      const all = [...(api === undefined ? [] : [api]), ...own.filter((service) => service.metadata.uid !== api?.metadata.uid)]
      return serviceVariablesOf(all.map(serviceForVariables))
    },

    async token(pod, request) {
      const { namespace, name, uid } = identityOf(pod)
      const cache = tokens.get(uid) ?? new Map<string, CachedToken>()
      tokens.set(uid, cache)
      const key = `${request.audience ?? ''} ${request.expirationSeconds}`
      const nowMs = clock.now().getTime()
      const cached = cache.get(key)
      if (cached !== undefined && nowMs < cached.renewAtMs) return cached.token
      const account = pod.spec.serviceAccountName ?? 'default'
      const body: KubeObject & Record<string, unknown> = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        metadata: { name: account, namespace },
        spec: {
          audiences: request.audience === undefined ? [] : [request.audience],
          expirationSeconds: request.expirationSeconds,
          boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid },
        },
      }
      try {
        const answer: KubeObject & { status?: { token?: string } } = await client.create(resources.serviceAccounts, body, { subresource: 'token' })
        const token = answer.status?.token
        if (token === undefined) return undefined
        const lifeMs = Math.min(request.expirationSeconds * 1_000 * renewAtFraction, maxTokenAgeMs)
        cache.set(key, { token, renewAtMs: nowMs + lifeMs })
        return token
      } catch (error) {
        // The account exists, or the pod would not have been admitted: it is the subresource that this API lacks.
        if (isReason(error, 'NotFound') || isReason(error, 'MethodNotAllowed')) return undefined
        throw error
      }
    },

    async writeStatus({ namespace, name, uid }, status) {
      const { conditions = [], podIPs, hostIPs, ...rest } = status
      // In a merge by type, what is left out stays: a reason that no longer holds has to be taken away.
      const merged = conditions.map((condition) => ({ reason: null, message: null, ...condition }))
      const order = conditions.map(({ type }) => ({ type }))
      // Strategic, so that a condition that somebody else has just written is not lost; the directive keeps upstream's order.
      const body = {
        metadata: { uid },
        status: {
          message: null,
          reason: null,
          ...rest,
          // Addresses would be merged with those of a former sandbox.
          ...(podIPs === undefined ? {} : { podIPs: [...podIPs, replaceList] }),
          ...(hostIPs === undefined ? {} : { hostIPs: [...hostIPs, replaceList] }),
          conditions: merged,
          '$setElementOrder/conditions': order,
        },
      }
      await client.patch(resources.pods, { namespace, name }, { type: 'strategic', body, subresource: 'status' })
    },

    async confirmDeletion({ namespace, name, uid }) {
      try {
        await client.delete(resources.pods, { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid } })
      } catch (error) {
        // Gone, or another pod of the same name by now.
        if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
      }
    },

    forget(uid) {
      tokens.delete(uid)
    },
  }
}

function decoded(data: Readonly<Record<string, string>> | undefined): Readonly<Record<string, Buffer>> {
  return Object.fromEntries(Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')]))
}

function serviceForVariables(service: ServiceObject): ServiceForVariables {
  return { name: service.metadata.name ?? '', clusterIP: service.spec?.clusterIP ?? '', ports: service.spec?.ports ?? [] }
}
