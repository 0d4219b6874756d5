import { createFleet, type Fleet, type ReadPermissions } from '@gantry/fleet/server'
import { clusterRequestOf, responseOf, type Caller, type Exchange } from '@gantry/gateway'
import { StatusError } from '@gantry/apimachinery'
import { readLines } from '@gantry/client'
import { header, readWholeBody, silentLogger, systemIds, type HttpResponse } from '@gantry/runtime'
import { FakeClock, settle } from '@gantry/runtime/testing'
import type { SimulatedMember } from './simulated-member.ts'

export const admin: Caller = { kind: 'platform', user: { username: 'admin', groups: [] }, credential: { kind: 'bearer', id: 'apikey/a' } }
export const kubectlAccept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json'

/** What any answer or event of the fleet may hold, as it is on the wire. */
export interface Wire {
  readonly kind: string
  readonly type: string
  readonly object: Wire
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly resourceVersion: string
    readonly continue?: string
    readonly remainingItemCount?: number
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
  }
  /** Null in every event but the first. */
  readonly columnDefinitions: readonly { readonly name: string }[] | null
  readonly rows: readonly { readonly cells: readonly unknown[]; readonly object: Wire }[]
  readonly items: readonly Wire[]
  readonly spec: { readonly containers: readonly { readonly image: string }[] }
  readonly resources: readonly { readonly name: string; readonly verbs: readonly string[] }[]
  readonly reason: string
  readonly message: string
  readonly code: number
  readonly sequence: number
  readonly continue?: string
  readonly cluster: string
  readonly clusters: readonly { readonly name: string }[]
  readonly name: string
}

export interface Answer {
  readonly status: number
  readonly response: HttpResponse
  readonly warnings: readonly string[]
  readonly freshness: string
  json(): Promise<Wire>
}

export interface TestFleet extends AsyncDisposable {
  readonly clock: FakeClock
  readonly fleet: Fleet
  readonly members: Map<string, SimulatedMember>
  /** Answers a GET below the given path, as the gateway would have it served; time moves on by itself until it is there. */
  get(path: string, options?: { readonly accept?: string; readonly caller?: Caller; readonly method?: string }): Promise<Answer>
  table(path: string, caller?: Caller): Promise<{ readonly rows: readonly (readonly unknown[])[]; readonly answer: Answer; readonly value: Wire }>
  /** Events as they come; ask for the next one, or for those that are there. */
  watch(
    path: string,
    options?: { readonly accept?: string; readonly caller?: Caller },
  ): Promise<{ events(): Promise<readonly Wire[]>; stop(): void; readonly answer: Answer }>
  membersChanged(): void
}

export interface TestFleetOptions {
  readonly permissions?: ReadPermissions
  readonly maxBytes?: number
  readonly idleMs?: number
}

export const everything: ReadPermissions = { mayRead: () => true, reaches: () => true, epoch: () => 0, onEpoch: () => () => {} }

export function startTestFleet(given: readonly SimulatedMember[], options: TestFleetOptions = {}): TestFleet {
  const clock = new FakeClock()
  const members = new Map(given.map((member) => [member.name, member]))
  const listeners = new Set<() => void>()
  const stopped = new AbortController()
  const fleet = createFleet(
    {
      clock,
      ids: systemIds,
      log: silentLogger,
      permissions: options.permissions ?? everything,
      members: {
        names: () => [...members.keys()].sort(),
        handlerOf: (name) => members.get(name)?.handle,
        decides: (name) => members.get(name)?.rules !== undefined,
        asCaller(name, caller) {
          const member = members.get(name)
          return member?.rules === undefined || caller.kind !== 'platform' ? undefined : member.asUser(caller.user.username)
        },
        onChange(listener) {
          listeners.add(listener)
          return () => listeners.delete(listener)
        },
      },
    },
    {
      clusterObjects: { cluster: 'local', group: 'fleet.gantry.dev', resource: 'clusters' },
      ...(options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes }),
      ...(options.idleMs === undefined ? {} : { idleMs: options.idleMs }),
    },
  )

  async function get(
    path: string,
    {
      accept = 'application/json',
      caller = admin,
      method = 'GET',
      signal = stopped.signal,
    }: { accept?: string; caller?: Caller; method?: string; signal?: AbortSignal } = {},
  ): Promise<Answer> {
    const [pathname = '', query = ''] = path.split('?')
    const request = { method, path: pathname, query, headers: { accept }, signal }
    const target = clusterRequestOf(request, 'local')
    const route = fleet.routes.find((one) => (one.path.endsWith('/') ? pathname.startsWith(one.path) : one.path === pathname))
    if (route === undefined) throw new Error(`no route at ${path}`)
    const exchange: Exchange = { request, connection: undefined, auditId: '', startedMs: 0, route, target, caller, decision: undefined }
    const response = await passing(
      route.serve(exchange).catch((error: unknown) => {
        if (error instanceof StatusError) return responseOf(error)
        throw error
      }),
    )
    const warning = response.headers['warning']
    return {
      status: response.status,
      response,
      warnings: warning === undefined ? [] : typeof warning === 'string' ? [warning] : warning,
      freshness: header(response.headers, 'gantry-fleet-freshness') ?? '',
      json: async () => JSON.parse((await passing(readWholeBody(response))).toString('utf8')) as Wire,
    }
  }

  async function passing<T>(work: Promise<T>): Promise<T> {
    let isDone = false
    const done = work.finally(() => (isDone = true))
    done.catch(() => {})
    for (let step = 0; !isDone && step < 2_000; step++) await clock.advance(step < 50 ? 1 : 50)
    return done
  }

  return {
    clock,
    fleet,
    members,
    get,
    async table(path, caller = admin) {
      const answer = await get(path, { accept: kubectlAccept, caller })
      const value = await answer.json()
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${value.message}`)
      return { value, answer, rows: value.rows.map(({ cells }) => cells) }
    },
    async watch(path, { accept = kubectlAccept, caller = admin } = {}) {
      const stop = new AbortController()
      const answer = await get(path, { accept, caller, signal: stop.signal })
      const events: Wire[] = []
      const reading = (async () => {
        if (typeof answer.response.body !== 'function') return
        for await (const line of readLines(answer.response, { signal: stop.signal, maxLineBytes: 1 << 20, highWaterBytes: 1 << 20 }))
          events.push(JSON.parse(line.toString('utf8')) as Wire)
      })()
      reading.catch(() => {})
      await settle()
      return {
        answer,
        async events() {
          await clock.advance(10)
          return events.splice(0)
        },
        stop: () => stop.abort(new Error('the test has seen enough')),
      }
    },
    membersChanged() {
      for (const listener of listeners) listener()
    },
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error('the test is over'))
      await fleet[Symbol.asyncDispose]()
      await settle()
    },
  }
}
