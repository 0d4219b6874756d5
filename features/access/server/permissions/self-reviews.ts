import { readJson, jsonResponse, type Exchange, type Route } from '@gantry/gateway'
import type { HttpResponse } from '@gantry/runtime'
import type { Subject } from './permission-index.ts'
import { questionOfReview, type Permissions } from './permissions.ts'

const bodyBytes = 256 << 10

/**
 * `kubectl auth can-i` and `whoami` for clusters that know our stored credential only: what the caller may do there is answered here. `hub` names the one that answers by itself, as it
 * asks these permissions too; undefined where the hub is a Kubernetes of its own, which does not.
 */
export function withSelfReviews({ permissions, hub }: { readonly permissions: Permissions; readonly hub: string | undefined }, route: Route): Route {
  return {
    ...route,
    serve(exchange) {
      const { target, caller } = exchange
      if (target === undefined || target.cluster === hub || caller.kind !== 'platform' || target.verb !== 'create' || target.info.namespace !== undefined)
        return route.serve(exchange)
      const { group, resource } = target.info
      const subject = permissions.subjectOf(caller.user.username)
      if (group === 'authentication.k8s.io' && resource === 'selfsubjectreviews')
        return review(exchange, () => ({ userInfo: { username: caller.user.username, uid: caller.user.uid, groups: caller.user.groups } }))
      if (group !== 'authorization.k8s.io') return route.serve(exchange)
      if (resource === 'selfsubjectaccessreviews') return review(exchange, (spec) => accessOf(permissions, subject, { cluster: target.cluster, spec }))
      if (resource === 'selfsubjectrulesreviews') return review(exchange, (spec) => rulesOf(permissions, subject, { cluster: target.cluster, spec }))
      return route.serve(exchange)
    },
  }
}

type Json = Readonly<Record<string, unknown>>

async function review({ request }: Exchange, statusOf: (spec: Json) => unknown): Promise<HttpResponse> {
  const { apiVersion, kind, metadata, spec } = await readJson(request, bodyBytes)
  return jsonResponse(201, { apiVersion, kind, metadata: metadata ?? {}, spec, status: statusOf(objectOf(spec)) })
}

function accessOf(permissions: Permissions, subject: Subject, { cluster, spec }: { readonly cluster: string; readonly spec: Json }): unknown {
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

function rulesOf(permissions: Permissions, subject: Subject, { cluster, spec }: { readonly cluster: string; readonly spec: Json }): unknown {
  const namespace = textOf(spec, 'namespace')
  const grants = permissions.index
    .grantsOf(subject)
    .filter(({ bound }) => (bound.cluster === undefined || bound.cluster === cluster) && (bound.namespaces === undefined || bound.namespaces.has(namespace)))
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
