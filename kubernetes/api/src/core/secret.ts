import { fieldForbidden, fieldInvalid, fieldRequired, fieldTooLong, parseJson, StatusError } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { Secret } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { dataKeyProblems, maxDataBytes } from './data-keys.ts'
import { keyPairProblem } from './tls-key-pair.ts'

// Types with a contract: the keys that must be there. Upstream: pkg/apis/core/validation ValidateSecret.
const requiredKeys: ReadonlyMap<string, readonly string[]> = new Map([
  ['kubernetes.io/dockercfg', ['.dockercfg']],
  ['kubernetes.io/dockerconfigjson', ['.dockerconfigjson']],
  ['kubernetes.io/ssh-auth', ['ssh-privatekey']],
  ['kubernetes.io/tls', ['tls.crt', 'tls.key']],
])

export const secret: BuiltinKind = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.core.v1.Secret',
  groupPriority: 18000,
  allowUnconditionalUpdate: true,
  selectableFields: { type: (object) => as<Secret>(object).type ?? '' },
  columns: [
    nameCell,
    column<Secret>('Type', (object) => object.type ?? '', { description: 'What the data is for.' }),
    column<Secret>('Data', (object) => Object.keys(object.data ?? {}).length, { description: 'Number of keys.' }),
    ageCell,
  ],
  applyDefaults(object) {
    const value = as<Secret>(object)
    value.type ??= 'Opaque'
    if (value.stringData === undefined) return
    value.data ??= {}
    for (const [key, text] of Object.entries(value.stringData)) value.data[key] = Buffer.from(text).toString('base64')
    delete value.stringData
  },
  warnings(object) {
    const { type, data = {} } = as<Secret>(object)
    if (type !== 'kubernetes.io/tls') return []
    const text = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString('latin1')
    const problem = keyPairProblem(text('tls.crt'), text('tls.key'))
    return problem === undefined ? [] : [problem]
  },
  validate(object, old) {
    const { data = {}, type = '', metadata } = as<Secret>(object)
    const errors = old === undefined ? [] : validateImmutable(as<Secret>(object), as<Secret>(old))
    let size = 0
    for (const [key, value] of Object.entries(data)) {
      for (const problem of dataKeyProblems(key)) errors.push(fieldInvalid(`data[${key}]`, key, problem))
      size += Buffer.byteLength(value, 'base64')
    }
    if (size > maxDataBytes) errors.push(fieldTooLong('data', maxDataBytes))
    for (const key of requiredKeys.get(type) ?? []) {
      const value = data[key]
      if (value === undefined || (value === '' && key === 'ssh-privatekey')) errors.push(fieldRequired(`data[${key}]`, ''))
      else if (key.startsWith('.docker')) {
        // The value never goes into the message.
        const problem = configProblem(value)
        if (problem !== undefined) errors.push(fieldInvalid(`data[${key}]`, '<secret contents redacted>', problem))
      }
    }
    if (type === 'kubernetes.io/basic-auth' && data['username'] === undefined && data['password'] === undefined) {
      errors.push(fieldRequired('data[username]', ''), fieldRequired('data[password]', ''))
    }
    if (type === 'kubernetes.io/service-account-token' && (metadata.annotations?.['kubernetes.io/service-account.name'] ?? '') === '') {
      errors.push(fieldRequired('metadata.annotations[kubernetes.io/service-account.name]', ''))
    }
    return errors
  },
}

function validateImmutable(next: Secret, before: Secret): FieldError[] {
  const errors: FieldError[] = []
  if (next.type !== before.type) errors.push(fieldInvalid('type', next.type, 'field is immutable'))
  if (before.immutable !== true) return errors
  if (next.immutable !== true) errors.push(fieldForbidden('immutable', 'field is immutable when `immutable` is set'))
  if (JSON.stringify(next.data) !== JSON.stringify(before.data)) errors.push(fieldForbidden('data', 'field is immutable when `immutable` is set'))
  return errors
}

/** What keeps a text from being a JSON object, in the words of Go's parser; they quote a character at most. */
function configProblem(base64: string): string | undefined {
  let value: unknown
  try {
    ;({ value } = parseJson(Buffer.from(base64, 'base64')))
  } catch (error) {
    if (error instanceof StatusError) return error.message
    throw error
  }
  if (value === null || (typeof value === 'object' && !Array.isArray(value))) return undefined
  const what = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
  return `json: cannot unmarshal ${what} into Go value of type map[string]interface {}`
}
