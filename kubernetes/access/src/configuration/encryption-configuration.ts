import { fieldInvalid, fieldRequired } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { decodeConfiguration, listOf, structOf, text, throwIfAny } from './read-configuration.ts'

// EncryptionConfiguration, apiserver.config.k8s.io/v1. Upstream: apiserver pkg/apis/apiserver/validation/validation_encryption.go and pkg/server/options/encryptionconfig.

/** `identity` leaves a value as it is; the first provider writes, all of them read. */
export type EncryptionProvider =
  | { readonly type: 'identity' }
  | { readonly type: 'aescbc' | 'aesgcm' | 'secretbox'; readonly name: string; readonly secret: Uint8Array }

export interface EncryptedResource {
  /** Empty for the core group; `*`: every group. */
  readonly group: string
  /** Plural; `*`: every one of the group. */
  readonly resource: string
  readonly providers: readonly EncryptionProvider[]
}

interface Key {
  readonly name?: string
  readonly secret?: string
}

interface Keys {
  readonly keys?: readonly Key[]
}

interface Provider {
  readonly aesgcm?: Keys
  readonly aescbc?: Keys
  readonly secretbox?: Keys
  readonly identity?: object
  readonly kms?: object
}

interface Configuration {
  readonly resources?: readonly { readonly resources?: readonly string[]; readonly providers?: readonly Provider[] }[]
}

const keysSchema = structOf('AESConfiguration', { keys: listOf(structOf('Key', { name: text, secret: text })) })
const kmsSchema = structOf('KMSConfiguration', {
  apiVersion: text,
  name: text,
  cachesize: { kind: 'scalar', scalar: 'int32' },
  endpoint: text,
  timeout: { kind: 'scalar', scalar: 'duration' },
})
const providerSchema = structOf(
  'ProviderConfiguration',
  { aesgcm: keysSchema, aescbc: keysSchema, secretbox: keysSchema, identity: structOf('IdentityConfiguration', {}), kms: kmsSchema },
  ['aesgcm', 'aescbc', 'secretbox', 'identity', 'kms'],
)
const schema = structOf('EncryptionConfiguration', {
  resources: listOf(structOf('ResourceConfiguration', { resources: listOf(text), providers: listOf(providerSchema) })),
})

const keyTypes = ['aesgcm', 'aescbc', 'secretbox'] as const
const keyBytes = { aesgcm: [16, 24, 32], aescbc: [16, 24, 32], secretbox: [32] } as const
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const internalResources = new Set(['apiserveripinfo', 'serviceipallocations', 'servicenodeportallocations'])

/**
 * Which resources are encrypted at rest and with what, in the order of the file. Throws an Error that names every field that is wrong, never a key; `kms` is refused:
 * there is nobody to ask for it.
 */
export function parseEncryptionConfiguration(content: string): readonly EncryptedResource[] {
  const { object, strict } = decodeConfiguration(content, { kind: 'EncryptionConfiguration', versions: ['apiserver.config.k8s.io/v1'], schema })
  if (strict.length > 0) throw new Error(`strict decoding error: ${strict.join(', ')}`)
  const { resources = [] } = object as Configuration
  const problems: FieldError[] = []
  if (resources.length === 0) problems.push(fieldRequired('resources', 'at least one resources is required'))
  for (const [index, entry] of resources.entries()) problems.push(...entryProblems(`resources[${index}]`, entry))
  throwIfAny(problems)
  return mergedRules(resources)
}

function mergedRules(entries: NonNullable<Configuration['resources']>): readonly EncryptedResource[] {
  const rules = new Map<string, { readonly group: string; readonly resource: string; readonly providers: EncryptionProvider[] }>()
  for (const { resources = [], providers = [] } of entries) {
    const opened = providers.flatMap(providersOf)
    for (const given of resources) {
      const { group, resource } = groupResource(given)
      for (const earlier of [`*.${group}`, '*.*']) {
        // What stands in one list may mask nothing: that has been refused already.
        if (rules.has(earlier)) throw new Error(`resource ${JSON.stringify(given)} is masked by earlier rule ${JSON.stringify(earlier)}`)
      }
      const name = `${resource}.${group}`
      const rule = rules.get(name) ?? { group, resource, providers: [] }
      rule.providers.push(...opened)
      rules.set(name, rule)
    }
  }
  return [...rules.values()]
}

function providersOf(provider: Provider): readonly EncryptionProvider[] {
  if (provider.identity !== undefined) return [{ type: 'identity' }]
  return keyTypes.flatMap((type) => (provider[type]?.keys ?? []).map(({ name = '', secret = '' }) => ({ type, name, secret: Buffer.from(secret, 'base64') })))
}

function groupResource(given: string): { readonly group: string; readonly resource: string } {
  const dot = given.indexOf('.')
  return dot < 0 ? { group: '', resource: given } : { group: given.slice(dot + 1), resource: given.slice(0, dot) }
}

function entryProblems(path: string, { resources = [], providers = [] }: NonNullable<Configuration['resources']>[number]): readonly FieldError[] {
  const atLeastOne = (field: string): FieldError => fieldRequired(field, `at least one ${field} is required`)
  return [
    ...(resources.length === 0 ? [atLeastOne(`${path}.resources`)] : []),
    ...overlapProblems(`${path}.resources`, resources),
    ...resources.flatMap((resource, index) => nameProblems(`${path}.resources[${index}]`, resource)),
    ...(providers.length === 0 ? [atLeastOne(`${path}.providers`)] : []),
    ...providers.flatMap((provider, index) => providerProblems(`${path}.providers[${index}]`, provider)),
  ]
}

function overlapProblems(path: string, resources: readonly string[]): readonly FieldError[] {
  const names = resources.map(groupResource)
  let hasDuplicate = false
  let hasOverlap = false
  // As upstream counts: the second pair of equal names may be an overlap too.
  for (const [i, one] of names.entries()) {
    for (const [j, other] of names.entries()) {
      if (i === j) continue
      const isSameGroup = one.group === other.group
      if (!hasDuplicate && isSameGroup && one.resource === other.resource) hasDuplicate = true
      else if (one.group === '*' && one.resource === '*') hasOverlap = true
      else if (isSameGroup && (one.resource === '*' || other.resource === '*')) hasOverlap = true
    }
  }
  return [
    ...(hasDuplicate ? [fieldInvalid(path, resources, 'the same resource cannot be specified multiple times')] : []),
    ...(hasOverlap
      ? [
          fieldInvalid(
            path,
            resources,
            "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked",
          ),
        ]
      : []),
  ]
}

function nameProblems(path: string, given: string): readonly FieldError[] {
  const { group, resource } = groupResource(given)
  const detail =
    given !== given.toLowerCase()
      ? 'resource name should not contain capital letters'
      : given === '*'
        ? "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources"
        : internalResources.has(given)
          ? 'resources which do not have REST API/s cannot be encrypted'
          : group === 'events.k8s.io'
            ? "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file"
            : group === 'extensions'
              ? "'extensions' group has been removed and cannot be used for encryption"
              : group === '*' && resource !== '*'
                ? 'encrypting the same resource across groups is not supported'
                : undefined
  return detail === undefined ? [] : [fieldInvalid(path, given, detail)]
}

function providerProblems(path: string, provider: Provider): readonly FieldError[] {
  const given = Object.keys(provider)
  // Never the provider itself in a message: it holds keys.
  if (given.length === 0)
    return [fieldInvalid(path, 'REDACTED', 'provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity')]
  const found =
    given.length > 1 ? [fieldInvalid(path, 'REDACTED', 'more than one provider specified in a single element, should split into different list elements')] : []
  if (provider.kms !== undefined)
    return [...found, fieldInvalid(`${path}.kms`, 'REDACTED', 'kms providers are not supported here: use aesgcm, aescbc, secretbox or identity')]
  const type = keyTypes.find((one) => provider[one] !== undefined)
  return type === undefined ? found : [...found, ...keysProblems(`${path}.${type}.keys`, provider[type]?.keys ?? [], keyBytes[type])]
}

function keysProblems(path: string, keys: readonly Key[], lengths: readonly number[]): readonly FieldError[] {
  if (keys.length === 0) return [fieldRequired(path, 'at least one keys is required')]
  return keys.flatMap(({ name = '', secret = '' }, index) => {
    const at = `${path}[${index}]`
    const mandatory = (field: string): FieldError => fieldRequired(`${at}.${field}`, `${field} is a mandatory field for a key`)
    const bare = secret.replaceAll(/[\r\n]/g, '')
    const bytes = Buffer.from(bare, 'base64').length
    const problem =
      secret === ''
        ? mandatory('secret')
        : !base64.test(bare)
          ? fieldInvalid(`${at}.secret`, 'REDACTED', 'secrets must be base64 encoded')
          : !lengths.includes(bytes)
            ? fieldInvalid(`${at}.secret`, 'REDACTED', `secret is not of the expected length, got ${bytes}, expected one of [${lengths.join(' ')}]`)
            : undefined
    return [...(name === '' ? [mandatory('name')] : []), ...(problem === undefined ? [] : [problem])]
  })
}
