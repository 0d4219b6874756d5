import { StatusError, unlessGone } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import { platformNamespace } from '@gantry/clusters/api'
import { secrets, type Secret } from '../hub-secrets.ts'

/**
 * A key of a Secret of gantry-system: undefined when no Secret is named. The key is fixed, so that the secrets of others, which have other keys, cannot be sent to an address of
 * somebody's choice. Throws Invalid when Secret or key is missing.
 */
export async function secretValue(
  hub: KubeClient,
  name: string | undefined,
  { key, signal }: { readonly key: 'client-secret' | 'bind-password'; readonly signal: AbortSignal },
): Promise<string | undefined> {
  if (name === undefined) return undefined
  const secret = await unlessGone(hub.get<Secret>(secrets, { namespace: platformNamespace, name }, { signal }))
  if (secret === undefined) throw new StatusError('Invalid', `the Secret ${platformNamespace}/${name} does not exist; create it with the key ${key}`)
  const data = secret.data?.[key]
  const value =
    data === undefined
      ? ''
      : Buffer.from(data, 'base64')
          .toString('utf8')
          .replace(/\r?\n$/, '')
  if (value === '') throw new StatusError('Invalid', `the Secret ${platformNamespace}/${name} has no key ${key}, or it is empty`)
  return value
}
