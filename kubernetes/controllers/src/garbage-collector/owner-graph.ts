import type { KubeObject, OwnerReference, ResourceRef } from '@gantry/client'

/** Where an object lies. `resource` is unknown for an owner that is only known from a reference. */
export interface Identity {
  readonly resource: ResourceRef | undefined
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export interface GraphNode {
  identity: Identity
  /** False for an owner that no watch has shown yet: it may not exist. */
  observed: boolean
  owners: readonly OwnerReference[]
  /** Most objects own nothing: they share an empty set. Changed by the graph alone. */
  dependents: ReadonlySet<GraphNode>
  deleting: boolean
  /** Waits for its dependents to go (finalizer foregroundDeletion). */
  deletingDependents: boolean
  /** Waits for its dependents to be released (finalizer orphan). */
  orphaning: boolean
}

/** What a change makes due. */
export interface Due {
  readonly examine: Iterable<GraphNode>
  readonly orphan?: GraphNode | undefined
  /** A dependent that names an owner in another namespace. */
  readonly misplaced?: { readonly dependent: GraphNode; readonly reference: OwnerReference } | undefined
}

export const foregroundFinalizer = 'foregroundDeletion'
export const orphanFinalizer = 'orphan'

/** Who owns whom, by uid. It only follows what it is told; nothing here talks to a server. Upstream: garbagecollector/graph_builder.go. */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>()

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid)
  }

  get size(): number {
    return this.#nodes.size
  }

  /** An object was added or changed. */
  put(object: KubeObject, resource: ResourceRef): Due {
    const { metadata } = object
    const uid = metadata.uid ?? ''
    let node = this.#nodes.get(uid)
    if (node === undefined) {
      node = newNode(identityOf(object, resource))
      this.#nodes.set(uid, node)
    }
    node.identity = identityOf(object, resource)
    node.observed = true
    const examine = new Set<GraphNode>()
    const misplaced = this.#link(node, metadata.ownerReferences ?? [], examine)

    const finalizers = metadata.finalizers ?? []
    const wasDeletingDependents = node.deletingDependents
    node.deleting = metadata.deletionTimestamp !== undefined
    node.deletingDependents = node.deleting && finalizers.includes(foregroundFinalizer)
    const wasOrphaning = node.orphaning
    node.orphaning = node.deleting && finalizers.includes(orphanFinalizer)
    if (node.deletingDependents && !wasDeletingDependents) {
      for (const dependent of node.dependents) examine.add(dependent)
      examine.add(node)
    }
    return { examine, misplaced, orphan: node.orphaning && !wasOrphaning ? node : undefined }
  }

  /** An object has gone, or an owner turned out not to exist. */
  remove(uid: string): Due {
    const node = this.#nodes.get(uid)
    if (node === undefined) return { examine: [] }
    this.#nodes.delete(uid)
    const examine = new Set<GraphNode>(node.dependents)
    for (const { uid: ownerUid } of node.owners) {
      const owner = this.#nodes.get(ownerUid)
      if (owner !== undefined) release(owner, node)
      if (owner?.deletingDependents === true) examine.add(owner)
    }
    return { examine }
  }

  #link(node: GraphNode, next: readonly OwnerReference[], examine: Set<GraphNode>): Due['misplaced'] {
    const before = node.owners
    node.owners = next
    for (const old of before) {
      const now = next.find((reference) => reference.uid === old.uid)
      const owner = this.#nodes.get(old.uid)
      if (owner === undefined) continue
      if (now === undefined) release(owner, node)
      // It may have waited for this dependent alone.
      if (owner.deletingDependents && (now === undefined || (old.blockOwnerDeletion === true && now.blockOwnerDeletion !== true))) examine.add(owner)
    }
    let misplaced: Due['misplaced']
    for (const reference of next) {
      let owner = this.#nodes.get(reference.uid)
      if (owner === undefined) {
        owner = newNode({
          resource: undefined,
          apiVersion: reference.apiVersion,
          kind: reference.kind,
          namespace: node.identity.namespace,
          name: reference.name,
          uid: reference.uid,
        })
        this.#nodes.set(reference.uid, owner)
        examine.add(owner)
      }
      const isNew = !owner.dependents.has(node)
      adopt(owner, node)
      if (isNew && owner.deletingDependents) examine.add(node)
      if (isNew && owner.observed && owner.identity.namespace !== '' && owner.identity.namespace !== node.identity.namespace) {
        misplaced = { dependent: node, reference }
        examine.add(node)
      }
    }
    return misplaced
  }
}

/** Dependents that the deletion of this owner waits for. */
export function blockingDependents(node: GraphNode): GraphNode[] {
  return [...node.dependents].filter((dependent) =>
    dependent.owners.some((reference) => reference.uid === node.identity.uid && reference.blockOwnerDeletion === true),
  )
}

const none: ReadonlySet<GraphNode> = new Set()

function adopt(owner: GraphNode, dependent: GraphNode): void {
  if (owner.dependents === none) owner.dependents = new Set([dependent])
  else (owner.dependents as Set<GraphNode>).add(dependent)
}

function release(owner: GraphNode, dependent: GraphNode): void {
  if (owner.dependents !== none) (owner.dependents as Set<GraphNode>).delete(dependent)
}

function newNode(identity: Identity): GraphNode {
  return { identity, observed: false, owners: [], dependents: none, deleting: false, deletingDependents: false, orphaning: false }
}

function identityOf(object: KubeObject, resource: ResourceRef): Identity {
  return {
    resource,
    apiVersion: resource.group === '' ? resource.version : `${resource.group}/${resource.version}`,
    kind: resource.kind,
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name ?? '',
    uid: object.metadata.uid ?? '',
  }
}
