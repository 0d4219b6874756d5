import { createHash } from 'node:crypto'
import { isReason, unlessGone } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import { rfc3339 } from '@gantry/clusters/api'
import { oidcStateKind, type OIDCState } from '../../api/index.ts'
import { LogoutRefused, type Logout } from './logout-token.ts'

/**
 * Does what a logout token asks for, once on all gateways of the hub: a copy of it must not end what was opened since. That it was used is written when the work is done, so that a
 * provider can try again what has failed; two at the same time do the same. Throws LogoutRefused for a copy.
 */
export async function useOnce<T>({ hub }: { readonly hub: KubeClient }, token: Logout & { readonly provider: string }, work: () => Promise<T>): Promise<T> {
  const { apiVersion, kind, ref } = oidcStateKind
  const name = `logout-${createHash('sha256')
    .update(JSON.stringify([token.provider, token.id]))
    .digest('hex')
    .slice(0, 40)}`
  if ((await unlessGone(hub.get<OIDCState>(ref, { name }))) !== undefined) throw new LogoutRefused('the logout token is refused: it has been used already')
  const done = await work()
  const metadata = { name, labels: { 'app.kubernetes.io/managed-by': 'gantry' } }
  const spec = { content: '', state: 'Used' as const, expirationTime: rfc3339(new Date(token.untilMs + 999)) }
  try {
    await hub.create<OIDCState>(ref, { apiVersion, kind, metadata, spec })
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error
  }
  return done
}
