import { parseFieldSelector } from '@gantry/apimachinery'
import type { ApiObject, Attributes, Decision } from '@gantry/apiserver'
import type { Pod } from '@gantry/kube-api'
import { bootstrapObjects } from './bootstrap-objects.ts'
import { allows } from './rbac-index.ts'

const userPrefix = 'system:node:'

export interface NodeAuthorizerDeps {
  /** Called once, on the first question of a node: every pod is told from then on, those that there are before it returns. */
  readonly followPods: () => void
  readonly claim: (namespace: string, name: string) => ApiObject | undefined
  readonly attachment: (name: string) => ApiObject | undefined
}

/** What the pods of one node refer to: `kind/namespace/name`, counted by pod. */
interface PodUse {
  readonly node: string
  readonly uses: readonly string[]
}

/**
 * Nodes read what their own pods refer to, and nothing of the others' (Z8): Secrets, ConfigMaps, claims and their volumes, accounts; their own Node, Lease and CSINode; pods by their own
 * name. Clusters without such nodes pay nothing: pods are followed from a node's first question on. Upstream: plugin/pkg/auth/authorizer/node.
 */
export class NodeAuthorizer {
  readonly #deps: NodeAuthorizerDeps
  readonly #pods = new Map<string, PodUse>()
  readonly #podsOf = new Map<string, Set<string>>()
  #isFollowing = false
  #rules: readonly Parameters<typeof allows>[0][] | undefined

  constructor(deps: NodeAuthorizerDeps) {
    this.#deps = deps
  }

  podChanged(object: ApiObject): void {
    const pod = object as unknown as Pod
    const key = `${object.metadata.namespace}/${object.metadata.name}`
    const node = pod.spec?.nodeName ?? ''
    this.#forget(key)
    if (node === '') return
    this.#pods.set(key, { node, uses: usesOf(pod, object.metadata.namespace ?? '') })
    const pods = this.#podsOf.get(node) ?? new Set()
    this.#podsOf.set(node, pods.add(key))
  }

  podRemoved({ metadata }: ApiObject): void {
    this.#forget(`${metadata.namespace}/${metadata.name}`)
  }

  readonly authorize = (attributes: Attributes): Decision => {
    const { user } = attributes
    if (!user.username.startsWith(userPrefix) || !user.groups.includes('system:nodes')) return noOpinion('')
    const node = user.username.slice(userPrefix.length)
    if (node === '') return noOpinion(`unknown node for user ${JSON.stringify(user.username)}`)
    if (!this.#isFollowing) {
      this.#isFollowing = true
      this.#deps.followPods()
    }
    return this.#decide(node, attributes)
  }

  #decide(node: string, asked: Attributes): Decision {
    switch (asked.isResource ? `${asked.resource}.${asked.group}` : '') {
      case 'secrets.':
      case 'configmaps.':
        return this.#read(node, asked)
      case 'persistentvolumeclaims.':
        if (asked.subresource === 'status') {
          return asked.verb === 'update' || asked.verb === 'patch' ? this.#related(node, asked) : noOpinion('can only get/update/patch this type')
        }
        return this.#get(node, asked)
      case 'persistentvolumes.':
      case 'resourceclaims.resource.k8s.io':
      case 'volumeattachments.storage.k8s.io':
        return this.#get(node, asked)
      case 'serviceaccounts.':
        if (asked.verb === 'get' && asked.subresource === '') return this.#read(node, asked)
        if (asked.verb !== 'create' || asked.name === '') return noOpinion('can only create tokens for individual service accounts')
        if (asked.subresource !== 'token') return noOpinion('can only create token subresource of serviceaccount')
        return this.#related(node, asked)
      case 'leases.coordination.k8s.io':
        if (!ownVerbs.has(asked.verb)) return noOpinion('can only get, create, update, patch, or delete a node lease')
        if (asked.namespace !== 'kube-node-lease') return noOpinion('can only access leases in the "kube-node-lease" system namespace')
        if (asked.verb !== 'create' && asked.name !== node) return noOpinion('can only access node lease with the same name as the requesting node')
        return allowed
      case 'csinodes.storage.k8s.io':
        if (!ownVerbs.has(asked.verb)) return noOpinion('can only get, create, update, patch, or delete a CSINode')
        if (asked.subresource !== '') return noOpinion('cannot authorize CSINode subresources')
        if (asked.verb !== 'create' && asked.name !== node) return noOpinion('can only access CSINode with the same name as the requesting node')
        return allowed
      case 'nodes.':
        if (['get', 'list', 'watch'].includes(asked.verb) && asked.subresource === '' && asked.name !== node)
          return noOpinion(`node '${node}' cannot read ${asked.name === '' ? 'all nodes' : `'${asked.name}'`}, only its own Node object`)
        return this.#byRole(asked)
      case 'pods.':
        if ((asked.verb === 'list' || asked.verb === 'watch') && asked.subresource === '' && !selectsNode(asked.fieldSelector, node))
          return noOpinion('can only list/watch pods with spec.nodeName field selector')
        if (asked.verb === 'get' && asked.subresource === '') return this.#related(node, asked)
        return this.#byRole(asked)
      default:
        return this.#byRole(asked)
    }
  }

  #read(node: string, asked: Attributes): Decision {
    if (!['get', 'list', 'watch'].includes(asked.verb)) return noOpinion('can only read resources of this type')
    if (asked.subresource !== '') return noOpinion('cannot read subresource')
    if ((asked.namespace ?? '') === '') return noOpinion('can only read namespaced object of this type')
    return this.#related(node, asked)
  }

  #get(node: string, asked: Attributes): Decision {
    if (asked.verb !== 'get') return noOpinion('can only get individual resources of this type')
    if (asked.subresource !== '') return noOpinion('cannot get subresource')
    return this.#related(node, asked)
  }

  #related(node: string, asked: Attributes): Decision {
    if (asked.name === '') return noOpinion('No Object name found')
    return this.#isRelated(node, asked) ? allowed : noOpinion(`no relationship found between node '${node}' and this object`)
  }

  #isRelated(node: string, { resource, namespace = '', name }: Attributes): boolean {
    if (resource === 'volumeattachments') return (this.#deps.attachment(name)?.['spec'] as { nodeName?: string } | undefined)?.nodeName === node
    const wanted = `${resource}/${namespace}/${name}`
    for (const key of this.#podsOf.get(node) ?? []) {
      const { uses = [] } = this.#pods.get(key) ?? {}
      if (resource === 'pods' ? key === `${namespace}/${name}` : uses.includes(wanted)) return true
      if (resource === 'persistentvolumes' && uses.some((use) => this.#volumeOf(use) === name)) return true
    }
    return false
  }

  /** The volume behind a claim. */
  #volumeOf(use: string): string | undefined {
    const [resource, namespace = '', name = ''] = use.split('/')
    if (resource !== 'persistentvolumeclaims') return undefined
    return (this.#deps.claim(namespace, name)?.['spec'] as { volumeName?: string } | undefined)?.volumeName
  }

  /** What the role system:node gives to all nodes. */
  #byRole(asked: Attributes): Decision {
    this.#rules ??= bootstrapObjects().find(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === 'system:node')?.rules ?? []
    return this.#rules.some((rule) => allows(rule, asked)) ? allowed : noOpinion('')
  }

  #forget(key: string): void {
    const known = this.#pods.get(key)
    if (known === undefined) return
    this.#pods.delete(key)
    const pods = this.#podsOf.get(known.node)
    pods?.delete(key)
    if (pods?.size === 0) this.#podsOf.delete(known.node)
  }
}

const ownVerbs: ReadonlySet<string> = new Set(['get', 'create', 'update', 'patch', 'delete'])
const allowed: Decision = { allowed: true, reason: '' }

function noOpinion(reason: string): Decision {
  return { allowed: false, reason }
}

function selectsNode(selector: string | undefined, node: string): boolean {
  if (selector === undefined) return false
  try {
    return parseFieldSelector(selector).requiresExactMatch('spec.nodeName') === node
  } catch {
    // The request itself tells what is wrong with it.
    return false
  }
}

/** Everything by name in a pod's spec. A mirror pod is the node's own word and opens nothing. */
function usesOf(pod: Pod, namespace: string): string[] {
  if (pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) return []
  const uses = new Set<string>()
  const use = (resource: string, name: string | undefined): void => {
    if (name !== undefined && name !== '') uses.add(`${resource}/${namespace}/${name}`)
  }
  const { spec } = pod
  use('serviceaccounts', spec?.serviceAccountName)
  for (const { name } of spec?.imagePullSecrets ?? []) use('secrets', name)
  for (const container of [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])]) {
    for (const { secretRef, configMapRef } of container.envFrom ?? []) {
      use('secrets', secretRef?.name)
      use('configmaps', configMapRef?.name)
    }
    for (const { valueFrom } of container.env ?? []) {
      use('secrets', valueFrom?.secretKeyRef?.name)
      use('configmaps', valueFrom?.configMapKeyRef?.name)
    }
  }
  for (const volume of spec?.volumes ?? []) {
    use('secrets', volume.secret?.secretName)
    use('configmaps', volume.configMap?.name)
    use('persistentvolumeclaims', volume.persistentVolumeClaim?.claimName)
    if (volume.ephemeral !== undefined) use('persistentvolumeclaims', `${pod.metadata.name}-${volume.name}`)
    for (const { secret, configMap } of volume.projected?.sources ?? []) {
      use('secrets', secret?.name)
      use('configmaps', configMap?.name)
    }
    for (const source of [
      volume.azureFile,
      volume.cephfs?.secretRef,
      volume.rbd?.secretRef,
      volume.iscsi?.secretRef,
      volume.flexVolume?.secretRef,
      volume.csi?.nodePublishSecretRef,
    ]) {
      use('secrets', source === undefined || source === null ? undefined : 'secretName' in source ? source.secretName : source.name)
    }
  }
  for (const { resourceClaimName } of pod.status?.resourceClaimStatuses ?? []) use('resourceclaims', resourceClaimName)
  for (const { resourceClaimName } of spec?.resourceClaims ?? []) use('resourceclaims', resourceClaimName)
  return [...uses]
}
