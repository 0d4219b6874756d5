import { jsonResponse, type Exchange, type Route } from '@gantry/gateway'
import { bodyOf } from '@gantry/runtime'
import type { HttpResponse } from '@gantry/runtime'
import type { Subject } from './permission-index.ts'
import { questionOfReview, type Permissions } from './permissions.ts'
import { readReview, reviewBytes } from './review-body.ts'

export interface SelfReviewsDeps {
  readonly permissions: Permissions
  readonly hub: string | undefined
  /** Clusters that are told who asks: there both sides have to allow. */
  readonly decidesToo: (cluster: string) => boolean
}

/**
 * `kubectl auth can-i` and `whoami` for clusters that know our stored credential only: what the caller may do there is answered here. A cluster that is told who asks has to say yes as well. `hub` names the one that answers by itself, as it
 * asks these permissions too; undefined where the hub is a Kubernetes of its own, which does not.
 */
export function withSelfReviews({ permissions, hub, decidesToo }: SelfReviewsDeps, route: Route): Route {
  return {
    ...route,
    serve(exchange) {
      const { target, caller } = exchange
      if (target === undefined || target.cluster === hub || caller.kind !== 'platform' || target.verb !== 'create' || target.info.namespace !== undefined)
        return route.serve(exchange)
      const { group, resource } = target.info
      const subject = permissions.subjectOfInfo(caller.user)
      if (subject === undefined) return route.serve(exchange)
      const asked = decidesToo(target.cluster) ? route : undefined
      if (group === 'authentication.k8s.io' && resource === 'selfsubjectreviews' && asked === undefined)
        return review(exchange, () => ({ userInfo: { username: caller.user.username, uid: caller.user.uid, groups: caller.user.groups } }))
      if (group !== 'authorization.k8s.io') return route.serve(exchange)
      if (resource === 'selfsubjectaccessreviews')
        return accessReview(exchange, (spec) => accessOf(permissions, subject, { cluster: target.cluster, spec }), asked)
      if (resource === 'selfsubjectrulesreviews')
        return review(exchange, (spec) => ({
          ...rulesOf(permissions, subject, { cluster: target.cluster, spec }),
          ...(asked === undefined ? {} : { incomplete: true, evaluationError: 'the RBAC of the cluster decides as well' }),
        }))
      return route.serve(exchange)
    },
  }
}

type Json = Readonly<Record<string, unknown>>

/** What is denied here is denied; what is allowed here is asked of the cluster, in its own words, where it decides too. */
async function accessReview(exchange: Exchange, statusOf: (spec: Json) => { readonly allowed: boolean }, asked: Route | undefined): Promise<HttpResponse> {
  if (asked === undefined) return review(exchange, statusOf)
  const { request } = exchange
  const bytes = await reviewBytes(request)
  const again = (): Exchange => ({ ...exchange, request: { ...request, body: bodyOf(bytes) } })
  const { spec } = await readReview(again().request)
  return statusOf(objectOf(spec)).allowed ? asked.serve(again()) : review(again(), statusOf)
}

async function review({ request }: Exchange, statusOf: (spec: Json) => unknown): Promise<HttpResponse> {
  const { apiVersion, kind, metadata, spec } = await readReview(request)
  return jsonResponse(201, { apiVersion, kind, metadata: metadata ?? {}, spec, status: statusOf(objectOf(spec)) })
}

function accessOf(
  permissions: Permissions,
  subject: Subject,
  { cluster, spec }: { readonly cluster: string; readonly spec: Json },
): { readonly allowed: boolean; readonly reason: string } {
  const resource = objectOf(spec['resourceAttributes'])
  const path = objectOf(spec['nonResourceAttributes'])
  const question = questionOfReview(cluster, {
    isResource: spec['resourceAttributes'] !== undefined && spec['resourceAttributes'] !== null,
    resource: (field) => textOf(resource, field),
    path: (field) => textOf(path, field),
  })
  const { allowed, reason } = permissions.index.decide(subject, question)
  return { allowed, reason }
}

function rulesOf(permissions: Permissions, subject: Subject, { cluster, spec }: { readonly cluster: string; readonly spec: Json }): object {
  const namespace = textOf(spec, 'namespace')
  const grants = permissions.index
    .grantsOf(subject)
    .filter(
      ({ bound }) =>
        (bound.cluster === undefined || bound.cluster === cluster) &&
        (bound.namespaces === undefined || bound.namespaces.has(namespace)) &&
        (bound.scope === undefined || permissions.index.isPlaceOf(bound.scope, { cluster, namespace })) &&
        (subject.within === undefined || permissions.index.isPlaceOf(subject.within, { cluster, namespace })),
    )
    .map(({ rule }) => rule)
  const allows = grants.filter(({ effect }) => effect !== 'Deny')
  return {
    resourceRules: allows.flatMap(({ verbs, apiGroups, resources, resourceNames }) =>
      resources === undefined ? [] : [{ verbs, apiGroups, resources, resourceNames }],
    ),
    nonResourceRules: allows.flatMap(({ verbs, nonResourceURLs }) => (nonResourceURLs === undefined ? [] : [{ verbs, nonResourceURLs }])),
    // What Denies and exceptions take away has no words in a rules review.
    incomplete:
      allows.length < grants.length || allows.some(({ exceptResources, clusters, namespaces }) => (exceptResources ?? clusters ?? namespaces) !== undefined),
  }
}

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}

function textOf(body: Json, field: string): string {
  const value = body[field]
  return typeof value === 'string' ? value : ''
}
