import {
  dns1035LabelProblems,
  dns1123SubdomainProblems,
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooMany,
  goQuote,
  jsonEqual,
  structuralSchemaProblems,
} from '@gantry/apimachinery'
import type { Pause } from '@gantry/runtime'
import type { FieldError, JsonSchema } from '@gantry/apimachinery'
import { validateWebhookService, validateWebhookUrl } from '../admissionregistration/webhook-configuration.ts'
import type {
  CustomResourceConversion,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
} from '../generated/types.ts'
import { ruleFieldPathProblems, ruleProblems } from './rule-problems.ts'
import { followFieldPath } from './rule-schema.ts'

export const approvalAnnotation = 'api-approved.kubernetes.io'
const maxSelectableFields = 8
const maxDeprecationWarningBytes = 256
const columnTypes = ['boolean', 'date', 'integer', 'number', 'string']
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password']
const reviewVersions = ['v1', 'v1beta1']

/** Checks a definition in upstream's order and words; `old` is the one before an update. Upstream: apiextensions-apiserver pkg/apis/apiextensions/validation. */
export async function validateDefinition(definition: CustomResourceDefinition, old?: CustomResourceDefinition, pause?: Pause): Promise<FieldError[]> {
  const { spec, status, metadata } = definition
  const errors: FieldError[] = []
  if (old === undefined && metadata.name !== `${spec.names.plural}.${spec.group}`) {
    errors.push(fieldInvalid('metadata.name', metadata.name ?? '', 'must be spec.names.plural+"."+spec.group'))
  }
  errors.push(...(await validateSpec(spec, old?.spec, pause)))
  errors.push(...validateNames(status?.acceptedNames ?? { plural: '', kind: '' }, 'status.acceptedNames'))
  errors.push(...validateStoredVersions(status?.storedVersions, spec.versions ?? []))
  errors.push(...validateApproval(definition, old))
  if (spec.preserveUnknownFields === true && old?.spec.preserveUnknownFields !== true) {
    const detail = 'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead'
    errors.push(fieldInvalid('spec.preserveUnknownFields', true, detail))
  }
  return errors
}

/**
 * What all versions have alike stands at the top of upstream's internal form, and errors name it there. An undefined part is one that differs: it is checked in each
 * version.
 */
interface Common {
  readonly schema: boolean
  readonly subresources: boolean
  readonly columns: boolean
  readonly selectableFields: boolean
}

function commonOf(versions: readonly CustomResourceDefinitionVersion[]): Common {
  const [first] = versions
  const alike = (part: (version: CustomResourceDefinitionVersion) => unknown): boolean =>
    first !== undefined && versions.every((version) => jsonEqual(part(version) ?? null, part(first) ?? null))
  return {
    schema: alike((version) => version.schema),
    subresources: alike((version) => version.subresources),
    columns: alike((version) => version.additionalPrinterColumns ?? []),
    selectableFields: alike((version) => version.selectableFields ?? []),
  }
}

async function validateSpec(
  spec: CustomResourceDefinitionSpec,
  old: CustomResourceDefinitionSpec | undefined,
  pause: Pause | undefined,
): Promise<FieldError[]> {
  const errors = [...validateGroup(spec.group ?? '')]
  if ((spec.scope ?? '') === '') errors.push(fieldRequired('spec.scope'))
  else if (spec.scope !== 'Cluster' && spec.scope !== 'Namespaced') errors.push(fieldNotSupported('spec.scope', spec.scope, ['Cluster', 'Namespaced']))
  const versions = spec.versions ?? []
  for (const [i, version] of versions.entries()) {
    if (version.schema?.openAPIV3Schema === undefined) errors.push(fieldRequired(`spec.versions[${i}].schema.openAPIV3Schema`))
  }
  const common = commonOf(versions)
  const [first] = versions
  for (const [i, version] of versions.entries()) {
    const path = `spec.versions[${i}]`
    const problems = dns1035LabelProblems(version.name)
    if (problems.length > 0) errors.push(fieldInvalid(`${path}.name`, version.name, problems.join(',')))
    errors.push(...(await validateVersion(version, { path, common, old, pause })))
  }
  const names = versions.map(({ name }) => name)
  if (new Set(names).size < names.length) errors.push(fieldInvalid('spec.versions', shownVersions(versions, common), 'must contain unique version names'))
  if (versions.filter(({ storage }) => storage).length !== 1) {
    errors.push(
      fieldInvalid('spec.versions', spec.versions === null ? null : shownVersions(versions, common), 'must have exactly one version marked as storage version'),
    )
  }
  // Inside, the first version has a place of its own.
  const firstProblems = first === undefined || first.name === '' ? [] : dns1035LabelProblems(first.name)
  if (first !== undefined && firstProblems.length > 0) errors.push(fieldInvalid('spec.version', first.name, firstProblems.join(',')))
  for (const name of ['plural', 'singular', 'kind', 'listKind'] as const) if ((spec.names[name] ?? '') === '') errors.push(fieldRequired(`spec.names.${name}`))
  errors.push(...validateNames(spec.names, 'spec.names'))
  if (first !== undefined) {
    if (common.schema) errors.push(...(await validateSchema(first, 'spec.validation', { hasStatus: versions.some(hasStatus), old, pause })))
    if (common.subresources) errors.push(...validateSubresources(first, 'spec.subresources'))
    if (common.columns) errors.push(...validateColumns(first, 'spec.additionalPrinterColumns'))
    if (common.selectableFields) errors.push(...validateSelectableFields(first, 'spec.selectableFields', old))
  }
  errors.push(...validateConversion(spec.conversion))
  return errors
}

function hasStatus(version: CustomResourceDefinitionVersion): boolean {
  return version.subresources?.status !== undefined
}

function validateGroup(group: string): FieldError[] {
  if (group === '') return [fieldRequired('spec.group')]
  const problems = dns1123SubdomainProblems(group)
  if (problems.length > 0) return [fieldInvalid('spec.group', group, problems.join(','))]
  return group.includes('.') ? [] : [fieldInvalid('spec.group', group, 'should be a domain with at least one dot')]
}

interface VersionPlace {
  readonly path: string
  readonly common: Common
  readonly old: CustomResourceDefinitionSpec | undefined
  readonly pause: Pause | undefined
}

async function validateVersion(version: CustomResourceDefinitionVersion, { path, common, old, pause }: VersionPlace): Promise<FieldError[]> {
  const errors = deprecationProblems(version).map((problem) => fieldInvalid(`${path}.deprecationWarning`, version.deprecationWarning ?? '', problem))
  if (!common.schema) errors.push(...(await validateSchema(version, `${path}.schema`, { hasStatus: hasStatus(version), old, pause })))
  if (!common.subresources) errors.push(...validateSubresources(version, `${path}.subresources`))
  if (!common.columns) errors.push(...validateColumns(version, `${path}.additionalPrinterColumns`))
  if (!common.selectableFields) errors.push(...validateSelectableFields(version, `${path}.selectableFields`, old))
  return errors
}

function deprecationProblems({ deprecated, deprecationWarning: text }: CustomResourceDefinitionVersion): string[] {
  if (text === undefined) return []
  if (deprecated !== true) return ['can only be set for deprecated versions']
  const problems: string[] = []
  if (Buffer.byteLength(text) > maxDeprecationWarningBytes) problems.push('must be <= 256 characters long')
  if (text === '') problems.push('must not be an empty string')
  const at = text.search(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u)
  if (at >= 0) problems.push(`must only contain printable UTF-8 characters; non-printable character found at index ${Buffer.byteLength(text.slice(0, at))}`)
  return problems
}

const rootKeywords: ReadonlySet<string> = new Set([
  'description',
  'type',
  'format',
  'title',
  'maximum',
  'exclusiveMaximum',
  'minimum',
  'exclusiveMinimum',
  'maxLength',
  'minLength',
  'pattern',
  'maxItems',
  'minItems',
  'uniqueItems',
  'multipleOf',
  'required',
  'items',
  'properties',
  'externalDocs',
  'example',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-validations',
])
const rootKeywordsShown =
  'Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations'

interface SchemaContext {
  readonly hasStatus: boolean
  readonly old: CustomResourceDefinitionSpec | undefined
  readonly pause: Pause | undefined
}

async function validateSchema(version: CustomResourceDefinitionVersion, path: string, context: SchemaContext): Promise<FieldError[]> {
  const schema: JsonSchema | undefined = version.schema?.openAPIV3Schema
  if (schema === undefined) return []
  const at = `${path}.openAPIV3Schema`
  const errors: FieldError[] = []
  if (context.hasStatus) {
    if (schema.type !== undefined && schema.type !== 'object') {
      errors.push(
        fieldInvalid(`${at}.type`, schema.type, 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'),
      )
    } else if (Object.keys(schema).some((keyword) => !rootKeywords.has(keyword))) {
      const detail = `only [${rootKeywordsShown}] fields are allowed at the root of the schema if the status subresource is enabled`
      errors.push(fieldInvalid(at, schema, detail))
    }
  }
  if (schema.nullable === true) errors.push(fieldForbidden(`${at}.nullable`, 'nullable cannot be true at the root'))
  const before = context.old?.versions?.find(({ name }) => name === version.name)?.schema?.openAPIV3Schema
  // Compiling rules takes time, and this schema has been accepted.
  if (errors.length === 0 && before !== undefined && jsonEqual(before, schema)) return errors
  const problems = await structuralSchemaProblems(schema, at, context.pause)
  await context.pause?.()
  problems.push(...ruleFieldPathProblems(schema, at))
  errors.push(...problems)
  if (problems.length === 0) errors.push(...(await ruleProblems(schema, at, { isUnchanged: false, pause: context.pause })))
  return errors
}

function validateSubresources({ subresources }: CustomResourceDefinitionVersion, path: string): FieldError[] {
  const scale = subresources?.scale
  if (scale === undefined) return []
  const errors: FieldError[] = []
  const replicas = (field: string, value: string, root: string): void => {
    if (value === '') errors.push(fieldRequired(field))
    else if (!value.startsWith('.')) errors.push(fieldInvalid(field, value, 'must be a simple json path starting with .'))
    else if (!value.startsWith(`${root}.`)) errors.push(fieldInvalid(field, value, `should be a json path under ${root}`))
  }
  replicas(`${path}.scale.specReplicasPath`, scale.specReplicasPath ?? '', '.spec')
  replicas(`${path}.scale.statusReplicasPath`, scale.statusReplicasPath ?? '', '.status')
  const selector = scale.labelSelectorPath ?? ''
  const field = `${path}.scale.labelSelectorPath`
  if (selector !== '' && !selector.startsWith('.')) errors.push(fieldInvalid(field, selector, 'must be a simple json path starting with .'))
  else if (selector !== '' && !/^\.(?:spec|status)\./.test(selector)) {
    errors.push(fieldInvalid(field, selector, 'should be a json path under either .spec or .status'))
  }
  return errors
}

function validateColumns({ additionalPrinterColumns = [] }: CustomResourceDefinitionVersion, path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const [i, column] of additionalPrinterColumns.entries()) {
    const at = `${path}[${i}]`
    const types = `must be one of ${columnTypes.join(',')}`
    if ((column.name ?? '') === '') errors.push(fieldRequired(`${at}.name`))
    if ((column.type ?? '') === '') errors.push(fieldRequired(`${at}.type`, types))
    else if (!columnTypes.includes(column.type)) errors.push(fieldInvalid(`${at}.type`, column.type, types))
    const { format = '' } = column
    if (format !== '' && !columnFormats.includes(format)) errors.push(fieldInvalid(`${at}.format`, format, `must be one of ${columnFormats.join(',')}`))
    if ((column.jsonPath ?? '') === '') errors.push(fieldRequired(`${at}.JSONPath`))
    else if (!column.jsonPath.startsWith('.')) errors.push(fieldInvalid(`${at}.JSONPath`, column.jsonPath, 'must be a simple json path starting with .'))
  }
  return errors
}

function validateSelectableFields(version: CustomResourceDefinitionVersion, path: string, old: CustomResourceDefinitionSpec | undefined): FieldError[] {
  const { selectableFields = [] } = version
  const schema: JsonSchema | undefined = version.schema?.openAPIV3Schema
  if (schema === undefined)
    return selectableFields.length === 0 || !path.startsWith('spec.versions')
      ? []
      : [fieldInvalid(path, '', 'may only be set when `version.schema.openAPIV3Schema` is not included')]
  const errors: FieldError[] = []
  const seen = new Set<string>()
  for (const [i, { jsonPath = '' }] of selectableFields.entries()) {
    const at = `${path}[${i}].jsonPath`
    if (jsonPath === '') {
      errors.push(fieldRequired(at))
      continue
    }
    const found = followFieldPath(jsonPath, schema, { brackets: false })
    if (typeof found === 'string') {
      errors.push(fieldInvalid(at, jsonPath, `is an invalid path: ${found}`))
      continue
    }
    if (found.root === 'metadata') errors.push(fieldInvalid(at, jsonPath, 'must not point to fields in metadata'))
    if (!['string', 'boolean', 'integer'].includes(found.schema.type ?? '')) {
      const detail = 'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.'
      errors.push(fieldInvalid(at, jsonPath, detail))
    }
    if (seen.has(found.text)) errors.push(fieldDuplicate(at, jsonPath))
    seen.add(found.text)
  }
  const before = old?.versions?.find(({ name }) => name === version.name)?.selectableFields
  if (seen.size > maxSelectableFields && !jsonEqual(before ?? null, selectableFields)) errors.push(fieldTooMany(path, seen.size, maxSelectableFields))
  return errors
}

function validateNames(names: CustomResourceDefinitionNames, path: string): FieldError[] {
  const errors: FieldError[] = []
  const check = (field: string, name: string, prefix = ''): void => {
    const problems = name === '' ? [] : dns1035LabelProblems(prefix === '' ? name : name.toLowerCase())
    if (problems.length > 0) errors.push(fieldInvalid(`${path}.${field}`, name, `${prefix}${problems.join(',')}`))
  }
  check('plural', names.plural ?? '')
  check('singular', names.singular ?? '')
  check('kind', names.kind ?? '', 'may have mixed case, but should otherwise match: ')
  check('listKind', names.listKind ?? '', 'may have mixed case, but should otherwise match: ')
  for (const [i, name] of (names.shortNames ?? []).entries()) {
    const problems = dns1035LabelProblems(name)
    if (problems.length > 0) errors.push(fieldInvalid(`${path}.shortNames[${i}]`, name, problems.join(',')))
  }
  if ((names.kind ?? '') !== '' && names.kind === names.listKind) {
    errors.push(fieldInvalid(`${path}.listKind`, names.listKind, 'kind and listKind may not be the same'))
  }
  for (const [i, name] of (names.categories ?? []).entries()) {
    const problems = dns1035LabelProblems(name)
    if (problems.length > 0) errors.push(fieldInvalid(`${path}.categories[${i}]`, name, problems.join(',')))
  }
  return errors
}

function validateConversion(conversion: CustomResourceConversion | undefined): FieldError[] {
  if (conversion === undefined) return []
  const { strategy, webhook } = conversion
  const errors: FieldError[] = []
  if (strategy === '') errors.push(fieldRequired('spec.conversion.strategy'))
  else if (strategy !== 'None' && strategy !== 'Webhook') errors.push(fieldNotSupported('spec.conversion.strategy', strategy, ['None', 'Webhook']))
  const config = webhook?.clientConfig
  const at = 'spec.conversion.webhookClientConfig'
  const versions = webhook?.conversionReviewVersions ?? []
  const versionsAt = 'spec.conversion.conversionReviewVersions'
  if (strategy !== 'Webhook') {
    if (config !== undefined) errors.push(fieldForbidden(at, 'should not be set when strategy is not set to Webhook'))
    if (versions.length > 0) errors.push(fieldForbidden(versionsAt, 'should not be set when strategy is not set to Webhook'))
    return errors
  }
  if (config === undefined) errors.push(fieldRequired(at, 'required when strategy is set to Webhook'))
  else if ((config.url === undefined) === (config.service === undefined)) errors.push(fieldRequired(at, 'exactly one of url or service is required'))
  else if (config.url !== undefined) errors.push(...validateWebhookUrl(config.url, `${at}.url`))
  else if (config.service !== undefined) errors.push(...validateWebhookService({ port: 443, ...config.service }, `${at}.service`))
  if (versions.length === 0) errors.push(fieldRequired(versionsAt))
  for (const [i, version] of versions.entries()) {
    if (versions.indexOf(version) < i) errors.push(fieldInvalid(`${versionsAt}[${i}]`, version, 'duplicate version'))
    else for (const problem of dns1035LabelProblems(version)) errors.push(fieldInvalid(`${versionsAt}[${i}]`, version, problem))
  }
  if (versions.length > 0 && !versions.some((version) => reviewVersions.includes(version))) {
    errors.push(fieldInvalid(versionsAt, versions, `must include at least one of ${reviewVersions.join(', ')}`))
  }
  return errors
}

function validateStoredVersions(stored: readonly string[] | null | undefined, versions: readonly CustomResourceDefinitionVersion[]): FieldError[] {
  const at = 'status.storedVersions'
  if (stored === null || stored === undefined || stored.length === 0) return [fieldInvalid(at, stored ?? null, 'must have at least one stored version')]
  const errors: FieldError[] = []
  for (const { name, storage } of versions) {
    if (storage && !stored.includes(name)) errors.push(fieldInvalid(at, stored, `must have the storage version ${name}`))
  }
  for (const [i, name] of stored.entries()) {
    if (versions.some((version) => version.name === name)) continue
    const detail = `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`
    errors.push(fieldInvalid(`${at}[${i}]`, name, detail))
  }
  return errors
}

/** Groups of the community, which nobody else may use unasked. */
export function isProtectedGroup(group: string): boolean {
  return /(?:^|\.)(?:k8s|kubernetes)\.io$/.test(group)
}

export interface Approval {
  readonly state: 'missing' | 'bypassed' | 'approved' | 'invalid'
  readonly reason: string
}

/** What a definition of a protected group says about its approval. */
export function approvalOf({ metadata }: CustomResourceDefinition): Approval {
  const said = metadata.annotations?.[approvalAnnotation] ?? ''
  const see = 'see https://github.com/kubernetes/enhancements/pull/1111'
  if (said === '') return { state: 'missing', reason: `protected groups must have approval annotation ${goQuote(approvalAnnotation)}, ${see}` }
  if (said.startsWith('unapproved')) return { state: 'bypassed', reason: `not approved: ${goQuote(said)}` }
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#\s]+/.test(said)) return { state: 'approved', reason: `approved in ${said}` }
  return {
    state: 'invalid',
    reason: `protected groups must have approval annotation ${goQuote(approvalAnnotation)} with either a URL or a reason starting with "unapproved", ${see}`,
  }
}

function validateApproval(definition: CustomResourceDefinition, old: CustomResourceDefinition | undefined): FieldError[] {
  if (!isProtectedGroup(definition.spec.group ?? '')) return []
  const { state, reason } = approvalOf(definition)
  if (old !== undefined && approvalOf(old).state === state) return []
  const field = `metadata.annotations[${approvalAnnotation}]`
  if (state === 'missing') return [fieldRequired(field, reason)]
  return state === 'invalid' ? [fieldInvalid(field, definition.metadata.annotations?.[approvalAnnotation] ?? '', reason)] : []
}

/** Versions as upstream's errors show them: its internal type, without what stands at the top there. */
function shownVersions(versions: readonly CustomResourceDefinitionVersion[], common: Common): unknown {
  return versions.map((version) => ({
    Name: version.name,
    Served: version.served,
    Storage: version.storage,
    Deprecated: version.deprecated ?? false,
    DeprecationWarning: version.deprecationWarning ?? null,
    Schema: common.schema || version.schema === undefined ? null : { OpenAPIV3Schema: version.schema.openAPIV3Schema ?? null },
    Subresources: common.subresources || version.subresources === undefined ? null : version.subresources,
    AdditionalPrinterColumns: common.columns || version.additionalPrinterColumns === undefined ? null : version.additionalPrinterColumns,
    SelectableFields: common.selectableFields || version.selectableFields === undefined ? null : version.selectableFields,
  }))
}
