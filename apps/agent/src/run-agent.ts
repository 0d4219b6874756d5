import { createHash } from 'node:crypto'
import { isReason } from '@gantry/apimachinery'
import { createClient, openHttpTransport, type HttpTransportOptions } from '@gantry/client'
import { agentCredentialPrefix } from '@gantry/clusters/api'
import { serveTunnel } from '@gantry/gateway/tunnel'
import { Backoff } from '@gantry/runtime'
import type { Clock, Ids, LogFields, Logger } from '@gantry/runtime'
import { createSecretStore, type AgentSecret } from './agent-secret.ts'
import { clockProblem, CutOffs, diagnose, type Diagnosis } from './diagnosis.ts'
import { openHub, type Hub } from './hub.ts'

export interface AgentDeps {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
}

export interface AgentOptions {
  readonly version: string
  readonly member: HttpTransportOptions
  /** Proxy to the platform, where the Secret names none; undefined: none is needed. */
  readonly proxyFor: (hub: URL) => string | undefined
  readonly rotateEveryMs?: number | undefined
}

const connections = 2
const backoff = { baseMs: 500, maxMs: 30_000, jitter: 1 }
/** A connection that lived so long was a good one: the next failure counts as the first. */
const steadyMs = 30_000
const rotateEveryMs = 24 * 60 * 60_000
const leaveWithinMs = 5_000
const goodbye = 'the agent is stopping'
const uncutEnd = 'without a goodbye'

/**
 * Connects a member to its platform until the signal aborts: two connections, each made again with growing pauses when it ends. Requests that come through them go to the
 * member's API with the agent's own credential. Rejects only when its Secret is missing or unusable.
 */
export async function runAgent(deps: AgentDeps, options: AgentOptions, { signal }: { readonly signal: AbortSignal }): Promise<void> {
  const { clock, ids, log } = deps
  await using member = openHttpTransport({ ...options.member, connections: 64, streams: 1_024, maxQueued: 1_024 }, { clock })
  const store = createSecretStore(createClient({ handle: member.handle }, { userAgent: `gantry-agent/${options.version}` }))
  let secret = await store.read({ signal })
  let hub = open(secret)
  let usedToken: string | undefined
  let enrolling: Promise<string> | undefined

  function open(from: AgentSecret): Hub {
    return openHub({ clock, version: options.version }, from, options.proxyFor)
  }
  function newCredential(): { readonly credential: string; readonly hash: string } {
    const credential = `${agentCredentialPrefix}${secret.cluster}.${ids.secret(32)}`
    return { credential, hash: hashOf(credential) }
  }

  /** The credential to connect with. The first time, and after a new manifest, the one-time token pays for it. */
  async function credentialOf(): Promise<string> {
    if (secret.credential !== undefined) return secret.credential
    const { token } = secret
    if (token === undefined) throw new Error('the Secret holds neither a credential nor a one-time token: apply another manifest ("gantry cluster manifest")')
    // Kept before it counts: an answer that is lost is asked for again, with the same credential.
    const credential = secret.nextCredential ?? newCredential().credential
    if (secret.nextCredential === undefined) await save({ nextCredential: credential })
    await hub.enroll(token, hashOf(credential), { signal })
    usedToken = token
    await save({ credential, nextCredential: undefined, token: undefined })
    log.info('enrolled', { cluster: secret.cluster, hub: secret.hub })
    return credential
  }
  async function save(changed: Partial<Pick<AgentSecret, 'token' | 'credential' | 'nextCredential'>>): Promise<void> {
    await store.write(changed, { signal })
    secret = { ...secret, ...changed }
  }
  function credential(): Promise<string> {
    enrolling ??= credentialOf().finally(() => (enrolling = undefined))
    return enrolling
  }

  /** A refused credential: perhaps the announced one counts by now, perhaps somebody has applied another manifest. */
  async function afterRefusal(): Promise<void> {
    if (secret.credential !== undefined && secret.nextCredential !== undefined) {
      try {
        await hub.prove(secret.nextCredential, { signal })
        await save({ credential: secret.nextCredential, nextCredential: undefined })
        return
      } catch (error) {
        if (!isReason(error, 'Unauthorized')) throw error
      }
    }
    const fresh = await store.read({ signal })
    const hasNewToken = fresh.token !== undefined && fresh.token !== usedToken
    if (!hasNewToken) return
    log.info('another manifest was applied', { cluster: fresh.cluster, hub: fresh.hub })
    await hub[Symbol.asyncDispose]()
    secret = { ...fresh, credential: undefined, nextCredential: undefined }
    await store.write({ credential: undefined, nextCredential: undefined }, { signal })
    hub = open(secret)
  }

  const ready = Promise.withResolvers<void>()
  const cutOffs = new CutOffs()

  async function keepConnected(number: number): Promise<void> {
    const pauses = new Backoff({ ids }, backoff)
    while (!signal.aborted) {
      try {
        const socket = await hub.connect(await credential(), { signal })
        const since = clock.monotonicMs()
        const tunnel = serveTunnel({ clock, log, handle: member.handle, upgrade: member.upgrade }, socket)
        log.info('connected', { connection: number, hub: secret.hub })
        ready.resolve()
        const skew = clockProblem(hub.clockAheadMs)
        if (skew !== undefined) log.warn('something is wrong', told(skew))
        const leave = (): void => {
          tunnel.leave(goodbye)
          clock.schedule(() => tunnel.destroy(goodbye), leaveWithinMs)
        }
        signal.addEventListener('abort', leave, { once: true })
        if (signal.aborted) leave()
        const why = await tunnel.ended
        signal.removeEventListener('abort', leave)
        if (signal.aborted) return
        const lifeMs = Math.round(clock.monotonicMs() - since)
        const pattern = why.includes(uncutEnd) ? cutOffs.add(lifeMs) : cutOffs.reset()
        log.warn('a connection ended', { connection: number, why, lifeMs, ...(pattern === undefined ? {} : { area: 'proxy', hint: pattern }) })
        if (lifeMs >= steadyMs) pauses.reset()
      } catch (error) {
        if (signal.aborted) return
        const skew = clockProblem(hub.clockAheadMs)
        const pausing = { connection: number, hub: secret.hub, failures: pauses.failures + 1 }
        log.error('the platform cannot be reached', { ...pausing, ...told(diagnose(error)), ...(skew === undefined ? {} : { clock: skew.message }) })
        if (isReason(error, 'Unauthorized')) {
          await afterRefusal().catch((failure: unknown) => {
            if (!signal.aborted) log.warn('its Secret could not be looked at again', { error: failure })
          })
        }
      }
      await clock.sleep(pauses.nextMs(), { signal }).catch(() => {}) // stopping: the loop sees it
    }
  }

  async function keepFresh(): Promise<void> {
    await ready.promise
    while (!signal.aborted) {
      const everyMs = options.rotateEveryMs ?? rotateEveryMs
      await clock.sleep(everyMs * (0.9 + ids.random() * 0.2), { signal }).catch(() => {})
      if (signal.aborted) return
      try {
        await rotate()
      } catch (error) {
        if (!signal.aborted) log.warn('the credential could not be renewed, it will be tried again', told(diagnose(error)))
      }
    }
  }

  /** Announced with the old one, kept, then proved: whatever is lost on the way, one of the two counts. Connections that are open stay. */
  async function rotate(): Promise<void> {
    const old = await credential()
    const { credential: next, hash } = newCredential()
    await save({ nextCredential: next })
    await hub.announce(old, hash, { signal })
    await hub.prove(next, { signal })
    await save({ credential: next, nextCredential: undefined })
    log.info('the credential was renewed', { cluster: secret.cluster })
  }

  signal.addEventListener('abort', () => ready.resolve(), { once: true })
  const loops = [
    keepConnected(1),
    keepFresh(),
    ready.promise.then(async () => Promise.all(Array.from({ length: connections - 1 }, (_none, at) => keepConnected(at + 2)))),
  ]
  try {
    await Promise.all(loops)
  } finally {
    await hub[Symbol.asyncDispose]()
  }
}

function told({ area, message }: Diagnosis): LogFields {
  return { area, why: message }
}

function hashOf(credential: string): string {
  return createHash('sha256').update(credential).digest('base64url')
}
