import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldRequired, labelKeyProblems, parseQuantity, quantityToMilli } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { LimitRange, LimitRangeItem } from '../generated/types.ts'
import { as } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { amountOf, compareAmounts } from './quantities.ts'
import { roundAmounts } from './resource-defaults.ts'
import { mayOvercommit, validateContainerResourceName, validateResourceName } from './resource-names.ts'

export const limitRange: BuiltinKind = {
  group: '',
  version: 'v1',
  kind: 'LimitRange',
  plural: 'limitranges',
  shortNames: ['limits'],
  namespaced: true,
  metaChecksOnUpdate: 'whole',
  type: 'io.k8s.api.core.v1.LimitRange',
  groupPriority: 18000,
  allowUnconditionalUpdate: true,
  allowCreateOnUpdate: true,

  applyDefaults(object) {
    const { spec } = as<LimitRange>(object)
    for (const item of spec?.limits ?? []) defaultItem(item)
    // Upstream's conversion makes nothing of an empty list.
    if (spec?.limits?.length === 0) (spec as { limits: unknown }).limits = null
  },
  prepareForCreate(object) {
    // A limit range without a name gets its uid's.
    if ((object.metadata.name ?? '') === '') object.metadata.name = object.metadata.uid
  },
  validate(object) {
    const seen = new Set<string>()
    return (as<LimitRange>(object).spec?.limits ?? []).flatMap((item, index) => {
      const path = `spec.limits[${index}]`
      const errors = validateType(item.type, `${path}.type`)
      if (seen.has(item.type)) errors.push(fieldDuplicate(`${path}.type`, item.type))
      seen.add(item.type)
      return [...errors, ...validateItem(item, path)]
    })
  },
}

function defaultItem(item: LimitRangeItem): void {
  for (const amounts of [item.max, item.min, item.default, item.defaultRequest, item.maxLimitRequestRatio]) roundAmounts(amounts)
  if (item.type !== 'Container') return
  const limits = { ...item.max, ...item.default }
  item.default = limits
  item.defaultRequest = { ...item.min, ...limits, ...item.defaultRequest }
}

function validateType(type: string, path: string): FieldError[] {
  const errors = labelKeyProblems(type).map((problem) => fieldInvalid(path, type, problem))
  if (errors.length === 0 && !type.includes('/') && !['Pod', 'Container', 'PersistentVolumeClaim'].includes(type))
    errors.push(fieldInvalid(path, type, 'must be a standard limit type or fully qualified'))
  return errors
}

const one = '1'

function validateItem(item: LimitRangeItem, path: string): FieldError[] {
  const { type, max = {}, min = {}, maxLimitRequestRatio: ratios = {} } = item
  const isPod = type === 'Pod'
  const defaults = isPod ? {} : (item.default ?? {})
  const requests = isPod ? {} : (item.defaultRequest ?? {})
  const validateName = isPod || type === 'Container' ? validateContainerResourceName : validateResourceName
  const errors: FieldError[] = []
  const names = new Set<string>()
  const name = (field: string, amounts: Readonly<Record<string, string>>): void => {
    for (const resource of Object.keys(amounts)) {
      errors.push(...validateName(resource, `${path}.${field}[${resource}]`))
      names.add(resource)
    }
  }
  name('max', max)
  name('min', min)
  if (isPod) {
    for (const field of ['default', 'defaultRequest'] as const) {
      if (Object.keys(item[field] ?? {}).length > 0) errors.push(fieldForbidden(`${path}.${field}`, "may not be specified when `type` is 'Pod'"))
    }
  }
  name('default', defaults)
  name('defaultRequest', requests)
  if (type === 'PersistentVolumeClaim' && min['storage'] === undefined && max['storage'] === undefined)
    errors.push(fieldRequired(`${path}.limits`, 'either minimum or maximum storage value is required, but neither was provided'))
  name('maxLimitRequestRatio', ratios)
  for (const resource of names) {
    errors.push(
      ...validateOrder(resource, path, {
        min: amountOf(min, resource),
        max: amountOf(max, resource),
        limit: amountOf(defaults, resource),
        request: amountOf(requests, resource),
        ratio: amountOf(ratios, resource),
      }),
    )
  }
  return errors
}

interface Amounts {
  readonly min: string | undefined
  readonly max: string | undefined
  readonly limit: string | undefined
  readonly request: string | undefined
  readonly ratio: string | undefined
}

/** min <= request <= limit <= max, and the ratio inside what these allow. */
function validateOrder(resource: string, path: string, { min, max, limit, request, ratio }: Amounts): FieldError[] {
  const errors: FieldError[] = []
  const isMore = (a: string | undefined, b: string | undefined): boolean => a !== undefined && b !== undefined && compareAmounts(a, b) > 0
  const at = (field: string): string => `${path}.${field}[${resource}]`
  if (isMore(min, max)) errors.push(fieldInvalid(at('min'), min, `min value ${min} is greater than max value ${max}`))
  if (isMore(min, request)) errors.push(fieldInvalid(at('defaultRequest'), request, `min value ${min} is greater than default request value ${request}`))
  if (isMore(request, max)) errors.push(fieldInvalid(at('defaultRequest'), request, `default request value ${request} is greater than max value ${max}`))
  if (isMore(request, limit))
    errors.push(fieldInvalid(at('defaultRequest'), request, `default request value ${request} is greater than default limit value ${limit}`))
  if (isMore(min, limit)) errors.push(fieldInvalid(at('default'), min, `min value ${min} is greater than default value ${limit}`))
  if (isMore(limit, max)) errors.push(fieldInvalid(at('default'), max, `default value ${limit} is greater than max value ${max}`))
  if (isMore(one, ratio)) errors.push(fieldInvalid(at('maxLimitRequestRatio'), ratio, `ratio ${ratio} is less than 1`))
  if (ratio !== undefined && min !== undefined && max !== undefined) {
    const most = quantityToMilli(parseQuantity(max)) / quantityToMilli(parseQuantity(min))
    if (quantityToMilli(parseQuantity(ratio)) / 1000 > most)
      errors.push(fieldInvalid(at('maxLimitRequestRatio'), ratio, `ratio ${ratio} is greater than max/min = ${most.toFixed(6)}`))
  }
  if (!mayOvercommit(resource) && limit !== undefined && request !== undefined && compareAmounts(limit, request) !== 0)
    errors.push(fieldInvalid(at('defaultRequest'), request, `default value ${limit} must equal to defaultRequest value ${request} in ${resource}`))
  return errors
}
