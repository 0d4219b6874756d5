import {
  applySchemaDefaults,
  createDecoder,
  evaluateJsonPath,
  goQuote,
  isReason,
  jsonEqual,
  printedValue,
  printerCell,
  StatusError,
  structuralSchemaOf,
  validateCustomResource,
} from '@gantry/apimachinery'
import type { Decoder, Definitions, FieldError, ObjectSchema, PrinterColumn } from '@gantry/apimachinery'
import type { ApiObject, Registry, ResourceDefinition, TableColumn, WriteContext } from '@gantry/apiserver'
import type { KubeClient, KubeObject } from '@gantry/client'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import type { CustomResourceDefinition, CustomResourceDefinitionNames, CustomResourceDefinitionVersion } from '../generated/types.ts'
import { nameCell } from '../kind.ts'
import { resources } from '../resources.ts'
import { cleanupFinalizer, isEstablished, setCondition } from './crd.ts'
import type { WebhookClient } from '../webhook-client.ts'
import { approvalOf, isProtectedGroup } from './definition-validation.ts'
import { ruleValidatorOf } from './rule-validator.ts'
import { WebhookConverter } from './webhook-conversion.ts'

export interface CustomResourcesDeps {
  readonly registry: Registry
  readonly definitions: Definitions
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  readonly ids: Ids
  readonly webhooks: WebhookClient
  /** Whether an object of a resource was last written before a revision. */
  /** Deletes what is stored of a resource, served or not; returns how many objects are still there because of finalizers. */
  readonly deleteStored: (definition: ResourceDefinition) => Promise<number>
  readonly anyStoredBefore: (resource: { readonly group: string; readonly plural: string }, revision: number) => boolean
}

/** A version's schema as it is worked with. */
interface CompiledVersion {
  readonly kind: string
  /** What it was made of. */
  readonly source: CustomResourceDefinitionVersion['schema']
  readonly schema: () => ObjectSchema
  readonly rules: () => ReturnType<typeof ruleValidatorOf>
}

/**
 * Turns CustomResourceDefinitions into served resources. `changed` and `removed` are called with each definition as it is stored, in order: what is accepted is served at once; conditions and
 * the clean-up of deleted definitions follow as writes of this one client, one at a time for each definition.
 */
export class CustomResources {
  readonly #deps: CustomResourcesDeps
  readonly #served = new Map<string, readonly ResourceDefinition[]>()
  readonly #queues = new Map<string, Promise<void>>()
  /** All definitions as stored, to see names that two of them want. */
  readonly #known = new Map<string, CustomResourceDefinition>()
  readonly #schemas = new Map<string, { readonly versions: unknown; readonly revision: number }>()
  /** What has been made of the schemas of versions, by definition and version: a definition changes its status several times before it is established. */
  readonly #compiled = new Map<string, Map<string, CompiledVersion>>()
  readonly #decoder: Decoder
  #stopped = false

  constructor(deps: CustomResourcesDeps) {
    this.#deps = deps
    this.#decoder = createDecoder(deps.definitions)
  }

  changed(object: ApiObject): void {
    const definition = object as unknown as CustomResourceDefinition
    const name = nameOf(definition)
    this.#known.set(name, definition)
    const { names, conflict } = this.#namesOf(definition)
    // What has been established stays, by the names that were accepted.
    if (conflict === undefined || isEstablished(definition)) this.#serve({ ...definition, spec: { ...definition.spec, names } })
    this.#enqueue(name, () => this.#reconcile(name))
  }

  removed(object: ApiObject): void {
    const name = object.metadata.name
    this.#known.delete(name)
    this.#schemas.delete(name)
    this.#compiled.delete(name)
    this.#stopServing(name)
    // A name that was in the way may be free now.
    for (const other of this.#known.values()) if (!isEstablished(other)) this.changed(other as unknown as ApiObject)
  }

  /** Resolves when what has been asked for so far has been done. */
  async settled(): Promise<void> {
    while (this.#queues.size > 0) await Promise.all(this.#queues.values())
  }

  stop(): void {
    this.#stopped = true
  }

  #serve(definition: CustomResourceDefinition): void {
    const name = nameOf(definition)
    const next = this.#resourcesOf(definition)
    for (const old of this.#served.get(name) ?? []) if (!next.some((resource) => resource.version === old.version)) this.#deps.registry.remove(old)
    for (const resource of next) this.#deps.registry.set(resource)
    this.#served.set(name, next)
  }

  #stopServing(name: string): void {
    for (const resource of this.#served.get(name) ?? []) this.#deps.registry.remove(resource)
    this.#served.delete(name)
  }

  /**
   * The served versions. With a webhook for conversions all are views of the version that is stored. Without, they differ in nothing but their name where their schemas are
   * alike and everything stored was written by them; else what is read is brought into shape by the schema of now.
   */
  #resourcesOf(definition: CustomResourceDefinition): readonly ResourceDefinition[] {
    const { group, names, versions, conversion } = definition.spec
    const served = (versions ?? []).filter((version) => version.served)
    const storage = versions?.find((version) => version.storage)
    if (storage === undefined) return []
    if (conversion?.strategy !== 'Webhook' || conversion.webhook === undefined) {
      const isOutdated = this.#deps.anyStoredBefore({ group, plural: names.plural }, this.#schemasSince(definition))
      return served.map((version) =>
        !isOutdated && jsonEqual(version.schema ?? null, storage.schema ?? null)
          ? this.#resourceOf(definition, version)
          : this.#shaped(definition, { version, storage }),
      )
    }
    const converter = new WebhookConverter(this.#deps, { group, kind: names.kind, webhook: conversion.webhook })
    const { storageVersion: _, ...storedResource } = this.#resourceOf(definition, storage)
    const stored: ResourceDefinition = { ...storedResource, hasConversions: true }
    return served.map((version) => {
      // Until everything has been rewritten, some of it is still stored in a version of before.
      if (version === storage && (definition.status?.storedVersions ?? []).length < 2) return stored
      const { storageVersion: _storage, ...own } = this.#resourceOf(definition, version)
      const fromStored = (object: ApiObject): ApiObject => converter.convert(object, version.name)
      return {
        ...own,
        hasConversions: true,
        storedAs: {
          definition: stored,
          fromStored,
          toStored: (object) => converter.convert(object, storage.name),
          prepare: (objects) => converter.prepare(objects, version.name),
          // What is written is valid in the version that it is written in.
          rules: {
            validate: (object, old, context) => own.validate?.(fromStored(object), old === undefined ? undefined : fromStored(old), context) ?? [],
          },
        },
      }
    })
  }

  /** The revision since which the versions are what they are, as far as it is known. */
  #schemasSince(definition: CustomResourceDefinition): number {
    const name = nameOf(definition)
    const before = this.#schemas.get(name)
    if (before !== undefined && jsonEqual(before.versions, definition.spec.versions)) return before.revision
    const revision = Number(definition.metadata.resourceVersion ?? 0)
    this.#schemas.set(name, { versions: definition.spec.versions, revision })
    return revision
  }

  /** A version whose objects are pruned and filled in whenever they are read. */
  #shaped(
    definition: CustomResourceDefinition,
    { version, storage }: { readonly version: CustomResourceDefinitionVersion; readonly storage: CustomResourceDefinitionVersion },
  ): ResourceDefinition {
    const { storageVersion: _, ...stored } = this.#resourceOf(definition, storage)
    const { storageVersion: _storage, ...own } = this.#resourceOf(definition, version)
    return {
      ...own,
      storedAs: {
        definition: stored,
        fromStored: (object) => {
          const shaped = this.#decoder.decode(own.schema, { ...object, apiVersion: `${own.group}/${own.version}` }).object as ApiObject
          own.applyDefaults?.(shaped)
          return shaped
        },
        toStored: (object) => object,
        rules: { validate: (object, old, context) => own.validate?.(object, old, context) ?? [] },
      },
    }
  }

  #resourceOf(definition: CustomResourceDefinition, version: CustomResourceDefinitionVersion): ResourceDefinition {
    const { spec } = definition
    const { names } = spec
    const compiled = this.#compiledOf(definition, version)
    const storage = spec.versions?.find((candidate) => candidate.storage)?.name ?? version.name
    const { scale } = version.subresources ?? {}
    const validate = (object: ApiObject, old?: ApiObject, context?: WriteContext): FieldError[] => {
      const errors = validateCustomResource(compiled.schema(), object, old)
      const rules = compiled.rules()
      // Rules are not evaluated over what has not the shape that they rely on.
      if (rules === undefined || errors.some((error) => blocksRules.has(error.type))) return errors
      const found = rules.validate(object, old)
      for (const warning of found.warnings) context?.warn(warning)
      return [...errors, ...found.errors]
    }
    const selectable = version.selectableFields ?? []
    return {
      group: spec.group,
      version: version.name,
      kind: names.kind,
      listKind: names.listKind ?? `${names.kind}List`,
      plural: names.plural,
      singular: names.singular ?? names.kind.toLowerCase(),
      ...(names.shortNames === undefined ? {} : { shortNames: names.shortNames }),
      ...(names.categories === undefined ? {} : { categories: names.categories }),
      namespaced: spec.scope === 'Namespaced',
      get schema() {
        return compiled.schema()
      },
      custom: true,
      storageVersion: storage,
      hasStatus: version.subresources?.status !== undefined,
      tracksGeneration: true,
      ...(scale === undefined
        ? {}
        : {
            scale: {
              custom: { group: spec.group, kind: names.kind },
              specReplicas: pathParts(scale.specReplicasPath),
              statusReplicas: pathParts(scale.statusReplicasPath),
              selector: (object: ApiObject) => (scale.labelSelectorPath === undefined ? '' : textOf(evaluateJsonPath(scale.labelSelectorPath, object)[0])),
            },
          }),
      columns: columnsOf(version),
      ...(selectable.length === 0
        ? {}
        : {
            selectableFields: Object.fromEntries(
              selectable.map(({ jsonPath }) => [jsonPath.replace(/^\./, ''), (object: ApiObject) => textOf(evaluateJsonPath(jsonPath, object)[0])]),
            ),
          }),
      ...(version.deprecated === true ? { deprecationWarning: version.deprecationWarning ?? `${spec.group}/${version.name} ${names.kind} is deprecated` } : {}),
      ...(definition.metadata.deletionTimestamp === undefined ? {} : { prepareForCreate: (object: ApiObject) => refuseWhileGoing(spec, object) }),
      applyDefaults: (object) => applySchemaDefaults(compiled.schema(), this.#deps.definitions, object),
      validate,
      validateStatusUpdate: (object, old, _subresource, context) => validate(object, old, context),
    }
  }

  #compiledOf(definition: CustomResourceDefinition, version: CustomResourceDefinitionVersion): CompiledVersion {
    const name = nameOf(definition)
    const { group, names, versions } = definition.spec
    let all = this.#compiled.get(name)
    if (all === undefined) this.#compiled.set(name, (all = new Map()))
    for (const other of all.keys()) if (!versions?.some((one) => one.name === other)) all.delete(other)
    const known = all.get(version.name)
    if (known !== undefined && known.kind === names.kind && jsonEqual(known.source, version.schema)) return known
    const source = version.schema?.openAPIV3Schema ?? {}
    let schema: ObjectSchema | undefined
    let rules: { readonly validator: ReturnType<typeof ruleValidatorOf> } | undefined
    const compiled: CompiledVersion = {
      kind: names.kind,
      source: version.schema,
      // Most definitions of a cluster are not in use at any time: the schema is put together for the first who asks.
      schema: () => (schema ??= structuralSchemaOf(source, { definitions: this.#deps.definitions, group, version: version.name, kind: names.kind })),
      // Expressions are compiled when the first object is judged by them.
      rules: () => (rules ??= { validator: ruleValidatorOf(source) }).validator,
    }
    all.set(version.name, compiled)
    return compiled
  }

  /** The names that a definition gets: those it asks for, but for what another one of its group has already, and the last of the reasons why. Upstream: naming_controller.go. */
  #namesOf({ spec, status, metadata }: CustomResourceDefinition): AcceptedNames {
    const taken = { resources: new Set<string>(), kinds: new Set<string>() }
    for (const other of this.#known.values()) {
      const names = other.status?.acceptedNames
      if (other.metadata.name === metadata.name || other.spec.group !== spec.group || names === undefined) continue
      for (const name of [names.plural, names.singular ?? '', ...(names.shortNames ?? [])]) taken.resources.add(name)
      for (const name of [names.kind, names.listKind ?? '']) taken.kinds.add(name)
    }
    const before = status?.acceptedNames ?? { plural: '', kind: '' }
    const names: CustomResourceDefinitionNames = { ...spec.names }
    let conflict: AcceptedNames['conflict']
    const inUse = (name: string): string => `${goQuote(name)} is already in use`
    const check = (field: 'plural' | 'singular' | 'kind' | 'listKind', all: ReadonlySet<string>): void => {
      const wanted = spec.names[field] ?? ''
      if (wanted === before[field] || !all.has(wanted)) return
      names[field] = before[field] ?? ''
      conflict = { reason: `${field.charAt(0).toUpperCase()}${field.slice(1)}Conflict`, message: inUse(wanted) }
    }
    check('plural', taken.resources)
    check('singular', taken.resources)
    const short = (spec.names.shortNames ?? []).filter((name) => before.shortNames?.includes(name) !== true && taken.resources.has(name))
    if (short.length > 0) {
      names.shortNames = before.shortNames
      const messages = short.map(inUse)
      conflict = { reason: 'ShortNamesConflict', message: messages.length === 1 ? (messages[0] ?? '') : `[${messages.join(', ')}]` }
    }
    check('kind', taken.kinds)
    check('listKind', taken.kinds)
    return { names, conflict }
  }

  #enqueue(name: string, work: () => Promise<void>): void {
    const before = this.#queues.get(name) ?? Promise.resolve()
    const next = before
      .then(() => (this.#stopped ? undefined : work()))
      .catch((error: unknown) => {
        if (!this.#stopped) this.#deps.log.error('a custom resource definition could not be brought up to date', { customResourceDefinition: name, error })
      })
      .finally(() => {
        if (this.#queues.get(name) === next) this.#queues.delete(name)
      })
    this.#queues.set(name, next)
  }

  async #reconcile(name: string): Promise<void> {
    const definition = this.#known.get(name)
    if (definition === undefined) return
    if (definition.metadata.deletionTimestamp !== undefined) {
      try {
        await this.#cleanUp(definition)
      } catch (error) {
        this.#retryLater(name)
        throw error
      }
      return
    }
    const copy = structuredClone(definition)
    if (!this.#judge(copy)) return
    await this.#tolerate(() => this.#deps.client.update(resources.customResourceDefinitions, copy as KubeObject, { subresource: 'status' }))
  }

  /** Sets the conditions that the definition deserves; false when they stand already. */
  #judge(definition: CustomResourceDefinition): boolean {
    const now = this.#deps.clock.now()
    const { names, conflict } = this.#namesOf(definition)
    let changed = setCondition(
      definition,
      conflict === undefined
        ? { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found', now }
        : { type: 'NamesAccepted', status: 'False', ...conflict, now },
    )
    if (!isEstablished(definition)) {
      const established =
        conflict === undefined
          ? ({ status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' } as const)
          : ({ status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' } as const)
      changed = setCondition(definition, { type: 'Established', ...established, now }) || changed
    }
    changed = this.#judgeApproval(definition) || changed
    const { status } = definition
    if (status !== undefined && !jsonEqual(status.acceptedNames ?? null, names)) {
      status.acceptedNames = names
      changed = true
    }
    return changed
  }

  /** Groups of the community say whether somebody has approved of their definitions. */
  #judgeApproval(definition: CustomResourceDefinition): boolean {
    if (!isProtectedGroup(definition.spec.group)) return false
    const { state, reason: message } = approvalOf(definition)
    return setCondition(definition, {
      type: 'KubernetesAPIApprovalPolicyConformant',
      status: state === 'approved' ? 'True' : 'False',
      reason: approvalReasons[state],
      message,
      now: this.#deps.clock.now(),
    })
  }

  /** Deletes what is left of a definition's objects, then lets the definition go (X12). */
  async #cleanUp(definition: CustomResourceDefinition): Promise<void> {
    if (!(definition.metadata.finalizers ?? []).includes(cleanupFinalizer)) return
    // In the version that is stored nothing has to be converted, and it is there even where no version is served.
    const stored = definition.spec.versions?.find((version) => version.storage)
    if (stored !== undefined) {
      await this.#announceDeletion(definition)
      // Objects with finalizers of their own stay until these are taken away.
      if ((await this.#deps.deleteStored(this.#resourceOf(definition, stored))) > 0) {
        this.#retryLater(nameOf(definition))
        return
      }
    }
    const body = [
      { op: 'test', path: '/metadata/uid', value: definition.metadata.uid },
      { op: 'replace', path: '/metadata/finalizers', value: (definition.metadata.finalizers ?? []).filter((finalizer) => finalizer !== cleanupFinalizer) },
    ]
    await this.#tolerate(() => this.#deps.client.patch(resources.customResourceDefinitions, { name: nameOf(definition) }, { type: 'json', body }))
  }

  async #announceDeletion(definition: CustomResourceDefinition): Promise<void> {
    const copy = structuredClone(definition)
    const condition = { type: 'Terminating', status: 'True', reason: 'InstanceDeletionInProgress', message: 'CustomResource deletion is in progress' } as const
    if (!setCondition(copy, { ...condition, now: this.#deps.clock.now() })) return
    await this.#tolerate(() => this.#deps.client.update(resources.customResourceDefinitions, copy as KubeObject, { subresource: 'status' }))
  }

  #retryLater(name: string): void {
    this.#deps.clock.schedule(() => this.#enqueue(name, () => this.#reconcile(name)), cleanupRetryMs)
  }

  /** A newer state brings a call of its own. */
  async #tolerate(write: () => Promise<unknown>): Promise<void> {
    try {
      await write()
    } catch (error) {
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
    }
  }
}

/** Upstream: apiextensions-apiserver customresource_handler.go. */
function refuseWhileGoing({ group, names }: CustomResourceDefinition['spec'], { metadata: { name } }: ApiObject): never {
  const why = 'create not allowed while custom resource definition is terminating'
  throw new StatusError('Forbidden', `${names.plural}.${group} ${JSON.stringify(name)} is forbidden: ${why}`, {
    details: { name, group, kind: names.plural },
  })
}

interface AcceptedNames {
  readonly names: CustomResourceDefinitionNames
  readonly conflict: { readonly reason: string; readonly message: string } | undefined
}

const cleanupRetryMs = 1000
const approvalReasons = {
  approved: 'ApprovedAnnotation',
  bypassed: 'UnapprovedAnnotation',
  invalid: 'InvalidAnnotation',
  missing: 'MissingAnnotation',
} as const
const blocksRules: ReadonlySet<string> = new Set(['NotSupported', 'Required', 'TooLong', 'TooMany', 'TypeInvalid'])

function nameOf(definition: CustomResourceDefinition): string {
  return definition.metadata.name ?? ''
}

function pathParts(path: string): string[] {
  return path.split('.').filter((part) => part !== '')
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value)
}

const age = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' } as const

function columnsOf(version: CustomResourceDefinitionVersion): readonly TableColumn[] {
  const named = version.additionalPrinterColumns ?? []
  return [
    nameCell,
    ...(named.length === 0 ? [age] : named).map((column: PrinterColumn): TableColumn => ({
      name: column.name,
      type: isColumnType(column.type) ? column.type : 'string',
      format: column.format ?? '',
      description: column.description ?? '',
      priority: column.priority ?? 0,
      cell: (object, now) => printerCell(column, object, now),
      ...(column.type === 'date' ? { since: (object) => timeOf(printedValue(column, object)) } : {}),
    })),
  ]
}

function timeOf(value: unknown): number | undefined {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(time) ? undefined : time
}

function isColumnType(type: string): type is 'integer' | 'number' | 'boolean' | 'date' {
  return type === 'integer' || type === 'number' || type === 'boolean' || type === 'date'
}
