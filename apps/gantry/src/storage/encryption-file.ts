import { randomBytes } from 'node:crypto'
import { parseEncryptionConfiguration } from '@gantry/kube-access/encryption-configuration'
import type { EncryptedResource } from '@gantry/kube-access/encryption-configuration'
import type { StoreEncryption } from '@gantry/storage'

/** The keys of a file that Gantry has made, the newest first: it writes, the others only read. */
export interface OwnKey {
  readonly name: string
  /** Base64 of 256 bits. */
  readonly secret: string
}

const keyBytes = 32

export function newKey(others: readonly OwnKey[]): OwnKey {
  const numbers = others.map(({ name }) => Number(/^key(\d{1,9})$/.exec(name)?.[1] ?? 0))
  return { name: `key${Math.max(0, ...numbers) + 1}`, secret: randomBytes(keyBytes).toString('base64') }
}

export function encryptionFileText(keys: readonly OwnKey[]): string {
  return [
    '# The keys of the Secrets in gantry.db and in its backups. Without this file nobody can read them: keep a copy of it, and not beside the backups.',
    '# "gantry data rotate-key" puts a new key in front.',
    'apiVersion: apiserver.config.k8s.io/v1',
    'kind: EncryptionConfiguration',
    'resources:',
    '  - resources: [secrets]',
    '    providers:',
    '      - aesgcm:',
    '          keys:',
    ...keys.map(({ name, secret }) => `            - { name: ${name}, secret: ${secret} }`),
    '      - identity: {}',
    '',
  ].join('\n')
}

/** Throws an Error that says what is wrong with the content, never with a key in it. */
export function readEncryption(source: string, content: string): { readonly encryption: StoreEncryption; readonly own: readonly OwnKey[] | undefined } {
  let resources: readonly EncryptedResource[]
  try {
    resources = parseEncryptionConfiguration(content)
  } catch (cause) {
    throw new Error(`${source}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  const rules = resources.map((resource) => ({ prefix: prefixOf(resource), keys: resource.providers }))
  return { encryption: { source, rules }, own: ownKeys(resources) }
}

/** What the first key of Secrets is: none when they are not encrypted. */
export function writingKey({ rules }: StoreEncryption): string | undefined {
  const rule = rules.filter(({ prefix }) => '/registry/core/secrets/'.startsWith(prefix)).toSorted((a, b) => b.prefix.length - a.prefix.length)[0]
  const key = rule?.keys[0]
  return key === undefined || key.type === 'identity' ? undefined : `${key.type} ${key.name}`
}

/** Undefined for a file that somebody has written otherwise than `encryptionFileText` does. */
function ownKeys(resources: readonly EncryptedResource[]): readonly OwnKey[] | undefined {
  const [only] = resources
  if (resources.length !== 1 || only?.group !== '' || only.resource !== 'secrets') return undefined
  const keys = only.providers.slice(0, -1)
  if (keys.length === 0 || only.providers.at(-1)?.type !== 'identity') return undefined
  const own: OwnKey[] = []
  for (const key of keys) {
    if (key.type !== 'aesgcm' || !/^[\w.-]+$/.test(key.name)) return undefined
    own.push({ name: key.name, secret: Buffer.from(key.secret).toString('base64') })
  }
  return own
}

/** Where the local cluster keeps a resource: `collectionPrefix` of packages/apiserver. */
function prefixOf({ group, resource }: EncryptedResource): string {
  if (group === '*') return '/registry/'
  const folder = `/registry/${group === '' ? 'core' : group}/`
  return resource === '*' ? folder : `${folder}${resource}/`
}
