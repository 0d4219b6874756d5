import {
  durationMs,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  invalidError,
  StatusError,
  validateFieldManager,
  isTrueParameter,
} from '@gantry/apimachinery'
import type { FieldError, ObjectSchema, RequestInfo } from '@gantry/apimachinery'
import type { HttpRequest } from '@gantry/runtime'
import { bodyOf, header } from '@gantry/runtime'
import { integerOf } from './list.ts'
import type { DeleteOptions } from './object-writer.ts'
import { readBody, readBytes } from './request-body.ts'
import type { FieldValidation } from './request-body.ts'
import { limits } from './server-context.ts'
import type { ServerContext } from './server-context.ts'

// What a request asks for beside its object. Upstream: apimachinery pkg/apis/meta/v1/validation and apiserver pkg/endpoints/handlers.

type WriteVerb = 'create' | 'update' | 'patch'

const optionsKinds: Readonly<Record<WriteVerb, string>> = { create: 'CreateOptions', update: 'UpdateOptions', patch: 'PatchOptions' }
const metaGroup = 'meta.k8s.io'

export function isApplyPatch(request: HttpRequest): boolean {
  return (header(request.headers, 'content-type') ?? '').startsWith('application/apply-patch+yaml')
}

/** CreateOptions, UpdateOptions or PatchOptions of a write, checked before its body is read. Other requests pass. */
export function checkWriteOptions({ verb, query }: RequestInfo, request: HttpRequest): void {
  if (query.size === 0 && verb !== 'patch') return
  if (verb !== 'create' && verb !== 'update' && verb !== 'patch') return
  const errors: FieldError[] = []
  const manager = query.get('fieldManager') ?? ''
  if (verb === 'patch') {
    const isApply = isApplyPatch(request)
    if (isApply && manager === '') errors.push(fieldRequired('fieldManager', 'is required for apply patch'))
    if (!isApply && query.has('force')) errors.push(fieldForbidden('force', 'may not be specified for non-apply patch'))
  }
  errors.push(...validateFieldManager(manager), ...dryRunErrors(query.getAll('dryRun')))
  const validation = query.get('fieldValidation') ?? ''
  if (!fieldValidations.includes(validation)) errors.push(fieldNotSupported('fieldValidation', validation, fieldValidations))
  if (errors.length > 0) throw invalidError({ group: metaGroup, kind: optionsKinds[verb] }, '', errors)
}

const fieldValidations: readonly string[] = ['', 'Ignore', 'Strict', 'Warn']

/** Of options that have been checked. */
export function fieldValidationOf(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation') ?? ''
  return value === '' ? 'Warn' : (value as FieldValidation)
}

const maxDefaultManagerLength = 128

/** `fieldManager`, or the client's name from its User-Agent (C11). */
export function fieldManagerOf({ query }: RequestInfo, request: HttpRequest): string {
  const asked = query.get('fieldManager') ?? ''
  if (asked !== '') return asked
  const agent = (header(request.headers, 'user-agent') ?? '').split('/', 1)[0] ?? ''
  return agent === '' ? 'unknown' : agent.slice(0, maxDefaultManagerLength)
}

function dryRunErrors(values: readonly string[]): FieldError[] {
  return values.every((value) => value === 'All') ? [] : [fieldNotSupported('dryRun', values, ['All'])]
}

export interface RequestedDeletion {
  readonly options: DeleteOptions
  readonly dryRun: boolean
}

/** DeleteOptions from the body or, when there is none, from the query: a body wins over all of it (C12). */
export async function readDeleteOptions(
  server: ServerContext,
  schema: ObjectSchema,
  { request, info }: { readonly request: HttpRequest; readonly info: RequestInfo },
): Promise<RequestedDeletion> {
  const bytes = await readBytes(request)
  const given = bytes.length === 0 ? queryOptions(info.query) : await bodyOptions(server, schema, { ...request, body: bodyOf(bytes) })
  const { dryRun = [], ...options } = given
  const errors: FieldError[] = []
  const { propagationPolicy, orphanDependents } = options
  if (propagationPolicy !== undefined && orphanDependents !== undefined)
    errors.push(fieldInvalid('propagationPolicy', propagationPolicy, 'orphanDependents and deletionPropagation cannot be both set'))
  if (propagationPolicy !== undefined && !policies.includes(propagationPolicy))
    errors.push(fieldNotSupported('propagationPolicy', propagationPolicy, [...policies, 'nil']))
  errors.push(...dryRunErrors(dryRun))
  if (errors.length > 0) throw invalidError({ group: metaGroup, kind: 'DeleteOptions' }, '', errors)
  return { options, dryRun: dryRun.length > 0 }
}

const policies: readonly string[] = ['Foreground', 'Background', 'Orphan']

interface GivenDeleteOptions extends DeleteOptions {
  readonly dryRun?: readonly string[] | undefined
}

function queryOptions(query: URLSearchParams): GivenDeleteOptions {
  const gracePeriodSeconds = integerOf(query, 'gracePeriodSeconds')
  const orphan = query.get('orphanDependents')
  const policy = query.get('propagationPolicy')
  return {
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(policy === null ? {} : { propagationPolicy: policy }),
    ...(orphan === null ? {} : { orphanDependents: isTrueParameter(orphan) }),
    ...(query.has('dryRun') ? { dryRun: query.getAll('dryRun') } : {}),
  }
}

/** The options may come under the name of any version that ever had them. */
async function bodyOptions(server: ServerContext, schema: ObjectSchema, request: HttpRequest): Promise<GivenDeleteOptions> {
  let object
  try {
    object = await readBody(server, schema, request)
  } catch (error) {
    if (!(error instanceof StatusError) || error.reason !== 'BadRequest' || !/json|yaml/i.test(error.message)) throw error
    throw new StatusError('BadRequest', `couldn't get version/kind; json parse error: ${error.message}`, { cause: error })
  }
  const { kind, apiVersion, ...options } = object
  if ((kind ?? '') !== '' && kind !== 'DeleteOptions')
    throw new StatusError(
      'BadRequest',
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`,
    )
  return options as unknown as GivenDeleteOptions
}

/** How long the client gives a request (`timeout=30s`), in milliseconds; undefined: as long as it takes. */
export function timeoutOf(query: URLSearchParams): number | undefined {
  const text = query.get('timeout') ?? ''
  if (text === '') return undefined
  let ms: number
  try {
    ms = durationMs(text)
  } catch (error) {
    throw new StatusError('BadRequest', `invalid timeout specified in the request URL - ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
  return ms <= 0 ? undefined : Math.min(ms, limits.requestTimeoutMs)
}
