import {
  StatusError,
  invalidError,
  validateFinalizersAreQualified,
  validateImmutableMeta,
  validateObjectMeta,
  validateObjectMetaUpdate,
  fieldInvalid,
  updateManagedFields,
  isNameValid,
  pathSegmentProblems,
} from '@gantry/apimachinery'
import type { FieldError, FieldOwnership, FieldSet } from '@gantry/apimachinery'
import type { Entry } from '@gantry/storage'
import { RevisionConflict, StoreUnavailable } from '@gantry/storage'
import { mutate, validate } from './admission.ts'
import type { AdmissionRequest, AdmittedShape } from './admission.ts'
import { alreadyExists, modified, notFound, preconditionFailed } from './errors.ts'
import { apiVersion, arrange, decodeObject, encodeObject, objectKey, servedObject } from './object-bytes.ts'
import type { Encoding } from './object-bytes.ts'
import type { ApiObject, ResourceDefinition, ServerMeta, WriteContext } from './resource.ts'
import { limits } from './server-context.ts'
import type { ServerContext } from './server-context.ts'
import { toServed, versionsOf } from './view.ts'

/** What a write answers: the stored state as bytes (with dryRun: as it would have been). */
export interface Written {
  readonly value: Buffer
  readonly created: boolean
}

export interface WriteCall {
  /** The rules of the write: those of what is stored. */
  readonly definition: ResourceDefinition
  /** The view in which the request came; absent: none, it speaks of objects as they are stored. */
  readonly view?: ResourceDefinition
  readonly namespace: string | undefined
  readonly context: WriteContext
  readonly fieldManager: string
  /** '' is the object itself; 'status' and 'scale' write their part of it. */
  readonly subresource: string
  /** The options of the request as admission sees them, for an operation that may be another than the verb says (a patch creates or updates). */
  readonly options?: ((operation: 'CREATE' | 'UPDATE') => Readonly<Record<string, unknown>>) | undefined
  /** It follows from a request that has been admitted. */
  readonly consequence?: boolean | undefined
  /** How the subresource shows the object that it changes. */
  readonly shape?: AdmittedShape | undefined
  /** Ownership that an apply has already worked out for the object it creates. */
  readonly appliedManagedFields?: readonly unknown[]
}

/** Whether this endpoint of a resource writes the status and nothing else. */
export function writesStatus({ hasStatus, statusSubresources }: ResourceDefinition, subresource: string): boolean {
  return (subresource === 'status' && hasStatus === true) || statusSubresources?.includes(subresource) === true
}

const generatedNameRetries = 8
const maxGeneratedBase = 58
const suffixLength = 5

/**
 * Creates an object that has been decoded and defaulted. In upstream's order: who owns which field is settled before mutating admission, so what that adds belongs to
 * nobody; identity and a generated name come after it.
 */
export async function createObject(server: ServerContext, call: WriteCall, object: ApiObject): Promise<Written> {
  const { definition, context } = call
  const meta = object.metadata
  dedupeOwners(meta, context)
  wipeServerMeta(meta)
  if (definition.namespaced) meta.namespace = call.namespace ?? ''
  else delete meta.namespace
  await server.turns.pause()
  meta.managedFields = call.appliedManagedFields === undefined ? manage(server, call, undefined, object) : [...call.appliedManagedFields]
  const admission: AdmissionRequest = {
    operation: 'CREATE',
    definition,
    subresource: call.subresource,
    namespace: call.namespace,
    name: meta.name ?? '',
    object,
    oldObject: undefined,
    served: call.view,
    options: call.options && (() => call.options?.('CREATE') ?? {}),
    context,
    reinvocation: { round: 0, wanted: false },
  }
  await server.turns.pause()
  await mutate(server, admission)
  if (admission.reinvocation?.wanted === true) checkMutated(call, object)
  const prefix = (object.metadata.name ?? '') === '' ? (object.metadata.generateName ?? '') : ''
  if (prefix === '') return createOnce(server, call, admission)
  for (let attempt = 1; ; attempt++) {
    object.metadata.name = `${prefix.slice(0, maxGeneratedBase)}${server.ids.suffix(suffixLength)}`
    try {
      return await createOnce(server, call, admission)
    } catch (error) {
      if (!(error instanceof StatusError) || error.reason !== 'AlreadyExists' || attempt >= generatedNameRetries) throw error
      context.warn(`the generated name ${JSON.stringify(object.metadata.name)} was taken`)
    }
  }
}

/** Of an object that is created nobody but the server says these. */
export function wipeServerMeta(meta: ServerMeta): void {
  meta.uid = ''
  meta.creationTimestamp = null
  delete meta.deletionTimestamp
  delete meta.deletionGracePeriodSeconds
  delete meta['selfLink']
}

async function createOnce(server: ServerContext, call: WriteCall, admission: AdmissionRequest): Promise<Written> {
  const { definition, context } = call
  const object = admission.object as ApiObject
  const meta = object.metadata
  meta.uid = server.ids.uid()
  meta.creationTimestamp = formatTime(context.now)
  // Kinds that do not count keep what the creator has put there, as upstream does.
  if (definition.tracksGeneration === true) meta.generation = 1
  if (definition.hasStatus === true && definition.keepsStatusOnCreate !== true) delete object['status']
  definition.prepareForCreate?.(object, context)
  if (meta.managedFields?.length === 0) delete meta.managedFields
  await server.turns.pause()
  let next = normalize(server, definition, object)
  await server.turns.pause()
  const reservation = definition.reserve?.(next, undefined, context)
  try {
    if (reservation !== undefined) next = normalize(server, definition, next)
    const problems = (await rulesOf(call).validate?.(next, undefined, context)) ?? []
    // A kind that does not look at metadata itself has the server look at it when the rest is sound.
    if (definition.metaChecksOnUpdate !== 'none') problems.unshift(...validateMeta(definition, next))
    throwIfInvalid(definition, next, problems)
    if (definition.metaChecksOnUpdate === 'none') throwIfInvalid(definition, next, validateMeta(definition, next))
    warn(call, next, undefined)
    await server.turns.pause()
    await validate(server, { ...admission, name: next.metadata.name, object: next })
    await server.turns.pause()

    const encoding = await encode(server, definition, next)
    const key = objectKey(definition, call.namespace, next.metadata.name)
    const existing = server.store.latest(key)
    if (existing !== undefined) {
      await server.store.settled(key)
      throw alreadyExists(servedBy(call), next.metadata.name, decodeObject(existing).metadata.deletionTimestamp !== undefined)
    }
    if (context.dryRun) {
      reservation?.release()
      return { value: Buffer.from(JSON.stringify(arrange(definition, next))), created: true }
    }
    // Found by what stores it, so a dry run does not; what is no revision is dropped.
    if (/^0*[1-9]\d*$/.test(meta.resourceVersion ?? '')) throw new StatusError('', 'resourceVersion should not be set on objects to be created', { code: 500 })
    const entry = await put(server, { key, expected: 0, encoding })
    reservation?.commit()
    await definition.afterCreate?.(next)
    return { value: entry.value, created: true }
  } catch (error) {
    reservation?.release()
    if (error instanceof RevisionConflict) {
      await server.store.settled(objectKey(definition, call.namespace, next.metadata.name))
      throw alreadyExists(servedBy(call), next.metadata.name, error.actual !== undefined && decodeObject(error.actual).metadata.deletionTimestamp !== undefined)
    }
    throw error
  }
}

export interface UpdateCall extends WriteCall {
  readonly name: string
  /** The uid in the body is a precondition: a PUT's. In a patch it is a change. */
  readonly namesUid?: boolean
  /** PUT says the whole object; a patch that carries no resourceVersion may be tried again on a newer state. */
  readonly retriable: boolean
  /** A PUT that names no revision means whatever is there: it too is tried again when something gets ahead of it. Upstream: etcd3 GuaranteedUpdate. */
  readonly unconditional?: boolean
  /** What is produced has the revision it was made from, unless the patch has taken that away: then it is an update without one. */
  readonly carriesRevision?: boolean
  /** Managed fields that the producer has already worked out (apply). */
  readonly managesFields?: boolean
}

/** What `updateObject` calls for the next state; `old` makes a copy of the old one that is the caller's own. */
export type Produce = (old: () => ApiObject) => ApiObject | Promise<ApiObject>

/** Changes an object under optimistic concurrency; removes it when its last finalizer went. */
export async function updateObject(server: ServerContext, call: UpdateCall, produce: Produce): Promise<Written> {
  const key = objectKey(call.definition, call.namespace, call.name)
  for (let attempt = 1; ; attempt++) {
    const entry = server.store.latest(key)
    if (entry === undefined) {
      await throwUnlessBack(server, call, key)
      continue
    }
    try {
      return await updateOnce(server, call, { entry, produce })
    } catch (error) {
      if (!(error instanceof RevisionConflict)) throw error
      const retries = call.unconditional === true ? limits.unconditionalRetries : call.retriable ? limits.conflictRetries : 0
      if (error.actual !== undefined && attempt >= retries) {
        await server.store.settled(key)
        throw modified(servedBy(call), call.name)
      }
    }
  }
}

/** Nobody hears that an object is gone before that is on the disk: a list right after would still show it, a crash bring it back. Comes back where the removal has failed. */
async function throwUnlessBack(server: ServerContext, call: WriteCall & { readonly name: string }, key: string): Promise<void> {
  await server.store.settled(key)
  if (server.store.latest(key) === undefined) throw notFound(servedBy(call), call.name)
}

async function updateOnce(server: ServerContext, call: UpdateCall, base: { readonly entry: Entry; readonly produce: Produce }): Promise<Written> {
  const { definition, context } = call
  const { entry } = base
  // In the version that is asked for, where versions differ in nothing but their name.
  const old = servedObject(definition, entry)
  await server.turns.pause()
  const produced = await base.produce(() => servedObject(definition, entry))
  checkIdentity(call, produced, old, entry)
  let changed = nextState(call, produced, old)
  // What a subresource has done to the parent has not been decoded.
  if (call.subresource !== '' && call.subresource !== 'status') changed = normalize(server, definition, changed)
  dedupeOwners(changed.metadata, context)
  await server.turns.pause()
  if (call.managesFields !== true) changed.metadata.managedFields = manage(server, call, old, changed)
  const admission: AdmissionRequest = {
    operation: 'UPDATE',
    definition,
    subresource: call.subresource,
    namespace: call.namespace,
    name: call.name,
    object: changed,
    oldObject: old,
    served: call.view,
    shape: call.shape,
    consequence: call.consequence,
    options: call.options && (() => call.options?.('UPDATE') ?? {}),
    context,
    reinvocation: { round: 0, wanted: false },
  }
  await server.turns.pause()
  await mutate(server, admission)
  if (admission.reinvocation?.wanted === true) {
    checkMutated(call, changed)
    changed = nextState(call, changed, old)
  }
  const part = definition.partSubresources?.[call.subresource]
  if (call.subresource === '') definition.prepareForUpdate?.(changed, old, context)
  else if (part !== undefined) part.keepOthers(changed, old)
  else if (writesStatus(definition, call.subresource)) definition.prepareForStatusUpdate?.(changed, old, { ...context, subresource: call.subresource })
  if (changed.metadata.managedFields?.length === 0) delete changed.metadata.managedFields
  await server.turns.pause()
  let next = normalize(server, definition, changed)
  await server.turns.pause()
  if (definition.tracksGeneration === true && !writesStatus(definition, call.subresource) && specChanged(next, old))
    next.metadata.generation = (old.metadata.generation ?? 0) + 1
  const reservation = call.subresource === '' ? definition.reserve?.(next, old, context) : undefined
  try {
    if (reservation !== undefined) next = normalize(server, definition, next)
    throwIfInvalid(definition, next, [
      ...validateUpdatedMeta(definition, call.subresource, { next, old }),
      ...(writesStatus(definition, call.subresource)
        ? (definition.validateStatusUpdate?.(next, old, call.subresource, context) ?? [])
        : [
            ...((await rulesOf(call).validate?.(next, old, context)) ?? []),
            ...(part?.validateUpdate(next, old) ?? []),
            ...(call.subresource === '' || call.subresource === 'scale' ? (rulesOf(call).validateUpdate?.(next, old) ?? []) : []),
          ]),
    ])
    warn(call, next, old)
    await server.turns.pause()
    await validate(server, { ...admission, object: next })
    await server.turns.pause()

    next.metadata.resourceVersion = old.metadata.resourceVersion ?? String(entry.revision)
    // Dropped by what stores it, so a dry run shows it.
    if (!context.dryRun) delete next.metadata['selfLink']
    const encoding = await encode(server, definition, next)
    const unwritten = encoding.at(next.metadata.resourceVersion)
    if (unwritten.equals(entry.value)) {
      reservation?.release()
      return { value: entry.value, created: false }
    }
    if (isReadyToGo(definition, next)) {
      reservation?.release()
      if (context.dryRun) return { value: unwritten, created: false }
      const removed = await server.store.delete(entry.key, entry.revision, (revision, keep) => bytesAt(encoding, revision, keep))
      definition.released?.(next)
      return { value: removed.value, created: false }
    }
    if (context.dryRun) {
      reservation?.release()
      return { value: unwritten, created: false }
    }
    const written = await put(server, { key: entry.key, expected: entry.revision, encoding })
    reservation?.commit()
    return { value: written.value, created: false }
  } catch (error) {
    reservation?.release()
    throw error
  }
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined
  readonly propagationPolicy?: string | undefined
  readonly orphanDependents?: boolean | undefined
  readonly preconditions?: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined } | undefined
  /** One of many: admission is not told its name, and the precondition is ours. */
  readonly ofCollection?: boolean
}

function deleteOptionsValue(options: DeleteOptions, context: WriteContext): Record<string, unknown> {
  const { ofCollection, preconditions, ...given } = options
  return {
    kind: 'DeleteOptions',
    apiVersion: 'meta.k8s.io/v1',
    ...given,
    ...(preconditions === undefined || ofCollection === true ? {} : { preconditions }),
    ...(context.dryRun ? { dryRun: ['All'] } : {}),
  }
}

export interface Deleted {
  /** The object's state after the call. */
  readonly value: Buffer
  /** False while finalizers or a grace period keep it. */
  readonly gone: boolean
}

/** Upstream: apiserver pkg/registry/generic/registry/store.go Delete and pkg/registry/rest/delete.go BeforeDelete. */
export async function deleteObject(server: ServerContext, call: WriteCall & { readonly name: string }, options: DeleteOptions): Promise<Deleted> {
  if (options.propagationPolicy === undefined && options.orphanDependents === undefined && call.definition.unsaidPolicyWarning !== undefined)
    call.context.warn(call.definition.unsaidPolicyWarning)
  const key = objectKey(call.definition, call.namespace, call.name)
  for (let attempt = 1; ; attempt++) {
    const entry = server.store.latest(key)
    if (entry === undefined) {
      await throwUnlessBack(server, call, key)
      continue
    }
    try {
      return await deleteOnce(server, call, { entry, options })
    } catch (error) {
      if (!(error instanceof RevisionConflict)) throw error
      if (error.actual !== undefined && attempt >= limits.conflictRetries) throw modified(servedBy(call), call.name)
    }
  }
}

async function deleteOnce(
  server: ServerContext,
  call: WriteCall & { readonly name: string },
  base: { readonly entry: Entry; readonly options: DeleteOptions },
): Promise<Deleted> {
  const { definition, context } = call
  const { entry, options } = base
  const object = decodeObject(entry)
  await server.turns.pause()
  const { metadata } = object
  checkPreconditions(call, object, entry, options)
  definition.checkDelete?.(object)
  const admission: AdmissionRequest = {
    operation: 'DELETE',
    definition,
    subresource: '',
    namespace: call.namespace,
    name: options.ofCollection === true ? '' : call.name,
    object: undefined,
    oldObject: object,
    served: call.view,
    consequence: call.consequence,
    options: () => deleteOptionsValue(options, context),
    context,
    reinvocation: { round: 0, wanted: false },
  }
  await mutate(server, admission)
  await validate(server, admission)
  await server.turns.pause()

  const own = metadata.deletionTimestamp === undefined ? (definition.finalizersOnDelete ?? []) : []
  const finalizers = [...new Set([...finalizersFor(definition, metadata.finalizers ?? [], options), ...own])]
  const held = finalizers.length > 0 || definition.isFinalized?.(object) === false
  const grace = definition.gracePeriodSeconds?.(object, options.gracePeriodSeconds)
  const terminating = metadata.deletionTimestamp !== undefined
  let touched = finalizers.length !== (metadata.finalizers ?? []).length || finalizers.some((name) => !metadata.finalizers?.includes(name))
  if (!terminating && (held || (grace !== undefined && grace > 0))) {
    metadata.deletionGracePeriodSeconds = grace ?? 0
    metadata.deletionTimestamp = formatTime(new Date(context.now.getTime() + (grace ?? 0) * 1000))
    if (metadata.generation !== undefined && metadata.generation > 0) metadata.generation++
    definition.prepareForDelete?.(object, context)
    touched = true
  } else if (terminating && grace !== undefined && grace < (metadata.deletionGracePeriodSeconds ?? 0)) {
    // A repeated request may only shorten the time that is left.
    const asked = Date.parse(metadata.deletionTimestamp ?? '') - (metadata.deletionGracePeriodSeconds ?? 0) * 1000
    metadata.deletionGracePeriodSeconds = grace
    metadata.deletionTimestamp = formatTime(new Date(asked + grace * 1000))
    touched = true
  }
  if (finalizers.length > 0) metadata.finalizers = finalizers
  else delete metadata.finalizers
  const waits = held || (grace !== undefined && grace > 0 && (metadata.deletionGracePeriodSeconds ?? 0) > 0)
  if (context.dryRun) return { value: Buffer.from(JSON.stringify(arrange(definition, object))), gone: !waits }
  if (!waits) {
    if (grace !== undefined && !terminating) {
      metadata.deletionTimestamp = formatTime(context.now)
      metadata.deletionGracePeriodSeconds = 0
    }
    const encoding = await encode(server, definition, object)
    const removed = await server.store.delete(entry.key, entry.revision, (revision, keep) => bytesAt(encoding, revision, keep))
    definition.released?.(object)
    return { value: removed.value, gone: true }
  }
  if (!touched) return { value: entry.value, gone: false }
  const written = await put(server, { key: entry.key, expected: entry.revision, encoding: await encode(server, definition, object) })
  return { value: written.value, gone: false }
}

function checkPreconditions(call: WriteCall & { readonly name: string }, object: ApiObject, entry: Entry, options: DeleteOptions): void {
  const { uid, resourceVersion } = options.preconditions ?? {}
  if (uid !== undefined && uid !== object.metadata.uid)
    throw preconditionFailed(call.definition, call.name, { field: 'UID', asked: uid, found: object.metadata.uid })
  if (resourceVersion !== undefined && resourceVersion !== String(entry.revision)) {
    throw preconditionFailed(call.definition, call.name, { field: 'ResourceVersion', asked: resourceVersion, found: String(entry.revision) })
  }
}

const foreground = 'foregroundDeletion'
const orphan = 'orphan'

/** The garbage collector's finalizers that this deletion wants; the others stay as they are. */
function finalizersFor(definition: ResourceDefinition, present: readonly string[], options: DeleteOptions): string[] {
  const policy = options.propagationPolicy ?? (options.orphanDependents === true ? 'Orphan' : options.orphanDependents === false ? 'Background' : undefined)
  const rest = present.filter((name) => name !== foreground && name !== orphan)
  if (definition.ignoresPropagationPolicy === true) return rest
  if (policy === 'Foreground') return [...rest, foreground]
  if (policy === 'Orphan') return [...rest, orphan]
  if (policy !== undefined || rest.length < present.length) return policy === undefined ? [...present] : rest
  return definition.defaultPropagationPolicy === 'Orphan' ? [...present, orphan] : [...present]
}

function isReadyToGo(definition: ResourceDefinition, object: ApiObject): boolean {
  const { metadata } = object
  if (metadata.deletionTimestamp === undefined || (metadata.finalizers ?? []).length > 0) return false
  return (metadata.deletionGracePeriodSeconds ?? 0) === 0 && definition.isFinalized?.(object) !== false
}

function checkIdentity(call: UpdateCall, produced: ApiObject, old: ApiObject, entry: Entry): void {
  const { definition } = call
  const meta = produced.metadata
  if (call.namesUid === true && meta.uid !== undefined && meta.uid !== '' && meta.uid !== old.metadata.uid) {
    const { plural, group } = servedBy(call)
    throw new StatusError(
      'Conflict',
      `Operation cannot be fulfilled on ${plural}${group === '' ? '' : `.${group}`} ${JSON.stringify(call.name)}: StorageError: invalid object, Code: 4, Key: ${etcdKey(call, entry)}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${meta.uid}, UID in object meta: ${old.metadata.uid}`,
      { details: { name: call.name, ...(group === '' ? {} : { group }), kind: plural } },
    )
  }
  const asked = meta.resourceVersion ?? ''
  if (asked === '' || asked === '0') {
    if ((!call.retriable || call.carriesRevision === true) && definition.allowUnconditionalUpdate !== true) {
      throw invalidError({ group: definition.group, kind: definition.plural }, call.name, [
        fieldInvalid('metadata.resourceVersion', 0, 'must be specified for an update'),
      ])
    }
  } else if (asked !== String(entry.revision)) {
    if (!/^\d+$/.test(asked)) throw new StatusError('', `strconv.ParseUint: parsing ${JSON.stringify(asked)}: invalid syntax`, { code: 500 })
    throw modified(servedBy(call), call.name)
  }
}

/** Kinds whose objects are kept where their first version was. Upstream: pkg/kubeapiserver/default_storage_factory_builder.go. */
const foldersOfOld: ReadonlyMap<string, string> = new Map([
  ['/replicationcontrollers', 'controllers'],
  ['/endpoints', 'services/endpoints'],
  ['/nodes', 'minions'],
  ['/services', 'services/specs'],
  ['networking.k8s.io/ingresses', 'ingress'],
  ['apiregistration.k8s.io/apiservices', 'apiregistration.k8s.io/apiservices'],
  ['apiextensions.k8s.io/customresourcedefinitions', 'apiextensions.k8s.io/customresourcedefinitions'],
])

/** Where upstream keeps the object: built-in groups are no part of its keys, and a dry run leaves out what all keys begin with. */
function etcdKey({ definition, context }: UpdateCall, { key }: Entry): string {
  const folder = foldersOfOld.get(`${definition.group}/${definition.plural}`) ?? definition.plural
  const full = definition.custom === true ? key : key.replace(/^\/registry\/[^/]+\/[^/]+/, `/registry/${folder}`)
  return context.dryRun ? full.slice('/registry'.length) : full
}

/** The server's own metadata stays; the main endpoint leaves the status alone where that has an endpoint of its own. */
function nextState({ definition, subresource }: UpdateCall, produced: ApiObject, old: ApiObject): ApiObject {
  if (writesStatus(definition, subresource)) return withStatusOf(definition, old, produced)
  keepServerMeta(produced.metadata, old.metadata)
  if (definition.hasStatus === true && (subresource === '' || subresource === 'scale' || definition.partSubresources?.[subresource] !== undefined)) {
    if (old['status'] === undefined) delete produced['status']
    else produced['status'] = old['status']
  }
  return produced
}

/** What is left of a caller's own here, validation refuses. Upstream: apiserver pkg/registry/rest/update.go BeforeUpdate. */
function keepServerMeta(meta: ServerMeta, old: ServerMeta): void {
  if ((meta.uid ?? '') === '') meta.uid = old.uid
  meta.creationTimestamp = old.creationTimestamp
  if (old.deletionTimestamp !== undefined) meta.deletionTimestamp = old.deletionTimestamp
  if (old.deletionGracePeriodSeconds !== undefined) meta.deletionGracePeriodSeconds ??= old.deletionGracePeriodSeconds
  if (old.generation === undefined) delete meta.generation
  else meta.generation = old.generation
}

/**
 * The status endpoint writes the status. Of the metadata most kinds let it change whatever an ordinary write may (controllers keep annotations that way), newer ones and custom
 * resources nothing but who manages what.
 */
function withStatusOf(definition: ResourceDefinition, old: ApiObject, produced: ApiObject): ApiObject {
  const { statusKeeps } = definition
  const keepsAll = statusKeeps === 'metadata' || definition.custom === true
  const metadata: ServerMeta = keepsAll ? { ...old.metadata } : { ...produced.metadata }
  const next: ApiObject = { ...old, metadata }
  if (keepsAll) {
    if (produced.metadata.managedFields === undefined) delete metadata.managedFields
    else metadata.managedFields = produced.metadata.managedFields
  } else {
    keepServerMeta(metadata, old.metadata)
    for (const field of statusKeeps ?? []) {
      delete metadata[field]
      if (old.metadata[field] !== undefined) Object.assign(metadata, { [field]: old.metadata[field] })
    }
  }
  if (produced['status'] === undefined) delete next['status']
  else next['status'] = produced['status']
  return next
}

/** What a mutator from outside has made of an object is taken no more on trust than what a client sends. */
function checkMutated(call: WriteCall, object: ApiObject): void {
  dedupeOwners(object.metadata, call.context)
  checkNames(call.definition, object, { namespace: call.namespace, name: undefined })
}

/** The same owner twice is kept once, with a warning (C20). */
function dedupeOwners(meta: ServerMeta, context: WriteContext): void {
  const owners = meta.ownerReferences ?? []
  const seen = new Set<string>()
  const twice = new Set<string>()
  const kept = owners.filter((owner) => {
    const key = JSON.stringify([owner.uid, owner.apiVersion, owner.kind, owner.name])
    if (!seen.has(key)) return seen.add(key)
    twice.add(owner.uid)
    return false
  })
  if (twice.size === 0) return
  meta.ownerReferences = kept
  context.warn(
    `.metadata.ownerReferences contains duplicate entries, API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${[...twice].join(', ')}`,
  )
}

/** Whether anything outside metadata and status differs. */
function specChanged(next: ApiObject, old: ApiObject): boolean {
  return JSON.stringify({ ...next, metadata: undefined, status: undefined }) !== JSON.stringify({ ...old, metadata: undefined, status: undefined })
}

/** The definition under whose address the object is known to the caller. */
function servedBy(call: WriteCall): ResourceDefinition {
  return call.view ?? call.definition
}

function rulesOf(call: WriteCall): Pick<ResourceDefinition, 'validate' | 'validateUpdate'> {
  return call.view?.storedAs?.rules ?? call.definition
}

/** The managedFields of `next` after an ordinary write; empty: none. */
export function manage(server: ServerContext, call: WriteCall, live: ApiObject | undefined, next: ApiObject): unknown[] {
  const served = servedBy(call)
  return updateManagedFields({
    live: live === undefined ? undefined : toServed(served, live),
    next: toServed(served, next),
    ...ownershipOf(server, call),
    manager: call.fieldManager,
    operation: 'Update',
    now: call.context.now,
  })
}

/** What the main endpoint of a kind with a status subresource ignores. */
const statusFields: FieldSet = { 'f:status': {} }

/** What the status endpoint ignores: the spec, and of the metadata what it keeps. */
function keptByStatus({ statusKeeps, custom }: ResourceDefinition): FieldSet {
  if (statusKeeps === 'metadata' || custom === true) return { 'f:spec': {}, 'f:metadata': {} }
  if (statusKeeps === undefined) return { 'f:spec': {} }
  return { 'f:spec': {}, 'f:metadata': Object.fromEntries(statusKeeps.map((field) => [`f:${field}`, {}])) }
}

/** How ownership of fields is reckoned for a write to this endpoint. */
export function ownershipOf(server: ServerContext, call: WriteCall): FieldOwnership {
  const { subresource } = call
  const definition = servedBy(call)
  const resetFields =
    definition.resetFields?.[subresource] ??
    (definition.hasStatus !== true
      ? undefined
      : subresource === ''
        ? statusFields
        : writesStatus(definition, subresource)
          ? keptByStatus(call.definition)
          : undefined)
  return {
    schema: definition.schema,
    definitions: server.definitions,
    apiVersion: apiVersion(definition),
    ...(definition.custom === true && definition.hasConversions !== true ? {} : { versions: versionsOf(server.registry, definition) }),
    ...(subresource === '' ? {} : { subresource }),
    ...(resetFields === undefined ? {} : { resetFields }),
  }
}

function warn({ definition, subresource, context }: WriteCall, object: ApiObject, old: ApiObject | undefined): void {
  const texts = subresource === '' ? definition.warnings?.(object, old) : subresource === 'status' ? definition.statusWarnings?.(object) : undefined
  for (const text of texts ?? []) context.warn(text)
}

function validateMeta(definition: ResourceDefinition, object: ApiObject): FieldError[] {
  return validateObjectMeta(object.metadata, {
    namespaced: definition.namespaced,
    validateName: definition.validateName ?? isNameValid,
    qualifiedFinalizers: qualifiesFinalizers(definition),
  })
}

/** What the server itself puts there need not be qualified. */
function qualifiesFinalizers({ custom, finalizersOnDelete, takesAnyFinalizer }: ResourceDefinition): boolean {
  return custom !== true && finalizersOnDelete === undefined && takesAnyFinalizer !== true
}

/**
 * The server looks at the metadata of all kinds, and each kind at that of its own again, some at what changes, some at the whole: upstream's answer has the same causes up to four
 * times. Only kinds ask whether finalizers are qualified. Looks once at metadata that is sound.
 */
function validateUpdatedMeta(
  definition: ResourceDefinition,
  subresource: string,
  { next, old }: { readonly next: ApiObject; readonly old: ApiObject },
): FieldError[] {
  const common = validateObjectMeta(next.metadata, { namespaced: definition.namespaced, validateName: pathSegmentProblems, qualifiedFinalizers: false })
  const isSound = common.length === 0 && validateImmutableMeta(next.metadata, old.metadata).length === 0
  if (isSound && (next.metadata.finalizers ?? []).length === 0 && (next.metadata.generateName ?? '') === '') return common
  const ofKind = definition.metaChecksOnUpdate
  const checks = writesStatus(definition, subresource) && ofKind !== 'none' ? undefined : ofKind
  const changes = (): FieldError[] => validateObjectMetaUpdate(next.metadata, old.metadata)
  const errors = [...common, ...changes()]
  if (checks !== 'none' && checks !== 'whole') {
    errors.push(...changes())
    if (qualifiesFinalizers(definition)) errors.push(...validateFinalizersAreQualified(next.metadata.finalizers ?? [], 'metadata.finalizers'))
  }
  if (checks === 'both' || checks === 'whole') errors.push(...validateMeta(definition, next))
  return errors
}

function throwIfInvalid(definition: ResourceDefinition, object: ApiObject, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidError(definition, object.metadata.name ?? '', errors)
}

/** Decodes once more what defaults and hooks have changed: canonical field order, empty things gone. */
export function normalize(server: ServerContext, definition: ResourceDefinition, object: ApiObject): ApiObject {
  return server.decoder.decode(definition.schema, object).object as ApiObject
}

function encode(server: ServerContext, definition: ResourceDefinition, object: ApiObject): Promise<Encoding> {
  return encodeObject(definition, object, server.turns)
}

async function put(server: ServerContext, write: { readonly key: string; readonly expected: number; readonly encoding: Encoding }): Promise<Entry> {
  try {
    return await server.store.put(write.key, write.expected, (revision, keep) => bytesAt(write.encoding, revision, keep))
  } catch (error) {
    if (error instanceof StoreUnavailable) throw new StatusError('ServiceUnavailable', error.message, { cause: error, details: { retryAfterSeconds: 1 } })
    throw error
  }
}

function bytesAt(encoding: Encoding, revision: number, keep: (derived: unknown) => void): Buffer {
  const bytes = encoding.at(revision, keep)
  if (bytes.length > limits.objectBytes) {
    throw new StatusError('RequestEntityTooLarge', `Request entity too large: limit is ${limits.objectBytes}`)
  }
  return bytes
}

/** RFC 3339 with seconds, UTC: metav1.Time. */
export function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`
}

/** A name in the body must be the one of the URL; absent means the URL's. */
export function checkNames(
  definition: ResourceDefinition,
  object: ApiObject,
  target: { readonly namespace: string | undefined; readonly name: string | undefined },
): void {
  const meta = object.metadata
  if (definition.namespaced) {
    if ((meta.namespace ?? '') === '') meta.namespace = target.namespace ?? ''
    else if (meta.namespace !== target.namespace) {
      throw new StatusError('BadRequest', 'the namespace of the provided object does not match the namespace sent on the request')
    }
  } else {
    delete meta.namespace
  }
  if (target.name === undefined) return
  if ((meta.name ?? '') === '') {
    throw new StatusError('BadRequest', `the name of the object (${target.name} based on URL) was undeterminable: name must be provided`)
  }
  if (meta.name !== target.name) {
    throw new StatusError('BadRequest', `the name of the object (${meta.name}) does not match the name on the URL (${target.name})`)
  }
}
