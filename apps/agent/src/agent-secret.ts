import { isReason, StatusError } from '@gantry/apimachinery'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import { agentName, agentNamespace } from '@gantry/clusters/api'

const secrets: ResourceRef = { group: '', version: 'v1', resource: 'secrets', kind: 'Secret', namespaced: true }

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}

/** What the manifest has left in the member's Secret, and what the agent keeps there itself. */
export interface AgentSecret {
  readonly cluster: string
  /** https://host:port */
  readonly hub: string
  /** PEM. */
  readonly ca: string
  readonly tlsServerName: string | undefined
  readonly proxyUrl: string | undefined
  readonly token: string | undefined
  readonly credential: string | undefined
  /** Announced, and not yet proved. */
  readonly nextCredential: string | undefined
}

export type StoredCredentials = Partial<Record<'token' | 'credential' | 'nextCredential', string | undefined>>

const keys = { token: 'token', credential: 'credential', nextCredential: 'next-credential' } as const

export interface SecretStore {
  /** Throws NotFound or Invalid that names what is missing. */
  read(options: { readonly signal: AbortSignal }): Promise<AgentSecret>
  /** Writes what is given; undefined removes it. */
  write(credentials: StoredCredentials, options: { readonly signal: AbortSignal }): Promise<void>
}

/** The agent's own Secret in its own cluster: a new pod goes on with the credential of the old one. */
export function createSecretStore(member: KubeClient): SecretStore {
  const key = { namespace: agentNamespace, name: agentName }
  const where = `the Secret ${agentNamespace}/${agentName}`
  return {
    async read({ signal }) {
      let secret: Secret
      try {
        secret = await member.get<Secret>(secrets, key, { signal })
      } catch (error) {
        if (isReason(error, 'NotFound'))
          throw new StatusError('NotFound', `${where} is missing: apply the manifest that "gantry cluster import --agent" has printed`)
        throw error
      }
      const text = (name: string): string | undefined => {
        const value = secret.data?.[name]
        return value === undefined || value === '' ? undefined : Buffer.from(value, 'base64').toString('utf8')
      }
      const need = (name: string): string => {
        const value = text(name)
        if (value === undefined) throw new StatusError('Invalid', `${where} lacks the key ${name}: apply the manifest again`)
        return value
      }
      return {
        cluster: need('cluster'),
        hub: need('hub'),
        ca: need('ca.crt'),
        tlsServerName: text('tls-server-name'),
        proxyUrl: text('proxy'),
        token: text(keys.token),
        credential: text(keys.credential),
        nextCredential: text(keys.nextCredential),
      }
    },
    async write(credentials, { signal }) {
      const data = Object.fromEntries(
        Object.entries(credentials).map(([name, value]) => [
          keys[name as keyof typeof keys],
          value === undefined ? null : Buffer.from(value).toString('base64'),
        ]),
      )
      await member.patch(secrets, key, { type: 'merge', body: { data }, signal })
    },
  }
}
