import { FlowRejected } from '@gantry/apiserver'
import type { ApiObject, Attributes, FlowControl, FlowTicket } from '@gantry/apiserver'
import type { FlowSchema, FlowcontrolSubject, PolicyRulesWithSubjects, PriorityLevelConfiguration } from '@gantry/kube-api'
import type { Clock } from '@gantry/runtime'
import { FairQueue, flowHash } from './fair-queue.ts'
import type { FairQueueOptions } from './fair-queue.ts'

export interface FlowControlOptions {
  /** Seats of all levels together: upstream's --max-requests-inflight and --max-mutating-requests-inflight. Default 600. */
  readonly totalSeats?: number | undefined
  /** Longest wait for a seat. Default 15 s, a quarter of a request's minute. */
  readonly waitLimitMs?: number | undefined
}

interface Level {
  readonly uid: string
  readonly config: PriorityLevelConfiguration
  /** Absent: exempt, who comes runs. */
  readonly queue: FairQueue | undefined
  lendable: number
  borrowLimit: number
}

interface Route {
  readonly schema: FlowSchema
  readonly level: Level
  readonly headers: Readonly<Record<string, string>>
  /** For those who hold no seat. */
  readonly free: FlowTicket
}

const uidHeaders = { schema: 'x-kubernetes-pf-flowschema-uid', level: 'x-kubernetes-pf-prioritylevel-uid' } as const

/**
 * Priority and fairness by the FlowSchema and PriorityLevelConfiguration objects that are stored: the first schema by precedence that matches names the level, whose seats it takes (G3). As
 * long as no object matches a request runs without a seat. Upstream: apiserver pkg/util/flowcontrol; every request here takes one seat, and idle seats are lent when they are
 * asked for instead of every ten seconds.
 */
export class PriorityAndFairness implements FlowControl {
  readonly #clock: Clock
  readonly #options: FlowControlOptions
  readonly #schemas = new Map<string, FlowSchema>()
  readonly #configs = new Map<string, PriorityLevelConfiguration>()
  #levels = new Map<string, Level>()
  #routes: readonly Route[] | undefined

  constructor(deps: { readonly clock: Clock }, options: FlowControlOptions = {}) {
    this.#clock = deps.clock
    this.#options = options
  }

  /** Takes a FlowSchema or a PriorityLevelConfiguration. */
  set(object: ApiObject): void {
    this.#routes = undefined
    if (object.kind === 'FlowSchema') this.#schemas.set(object.metadata.name, object as unknown as FlowSchema)
    else this.#configs.set(object.metadata.name, object as unknown as PriorityLevelConfiguration)
  }

  remove(object: ApiObject): void {
    this.#routes = undefined
    if (object.kind === 'FlowSchema') this.#schemas.delete(object.metadata.name)
    else this.#configs.delete(object.metadata.name)
  }

  enter(attributes: Attributes, signal: AbortSignal): FlowTicket | Promise<FlowTicket> {
    const route = this.#routeOf(attributes)
    if (route === undefined) return unclassified
    const { queue } = route.level
    if (queue === undefined) return route.free
    if (queue.tryEnter()) return ticketOf(queue, route.headers)
    return this.#wait(queue, route, { attributes, signal })
  }

  /** Requests that run and wait, by level. */
  levels(): { readonly name: string; readonly seats: number | undefined; readonly running: number; readonly waiting: number }[] {
    this.#routes ??= this.#compile()
    return [...this.#levels].map(([name, { queue }]) => ({ name, seats: queue?.seats, running: queue?.running ?? 0, waiting: queue?.waiting ?? 0 }))
  }

  async #wait(queue: FairQueue, route: Route, request: { readonly attributes: Attributes; readonly signal: AbortSignal }): Promise<FlowTicket> {
    const method = route.schema.spec.distinguisherMethod?.type
    const { user, namespace } = request.attributes
    const flow = flowHash(route.schema.metadata.name ?? '', method === 'ByUser' ? user.username : method === 'ByNamespace' ? (namespace ?? '') : '')
    if (!(await queue.wait(flow, request.signal))) throw new FlowRejected(route.headers)
    return ticketOf(queue, route.headers)
  }

  #routeOf(attributes: Attributes): Route | undefined {
    this.#routes ??= this.#compile()
    for (const route of this.#routes) {
      for (const rule of route.schema.spec.rules ?? []) if (matches(rule, attributes)) return route
    }
    return undefined
  }

  #compile(): Route[] {
    this.#compileLevels()
    const schemas = [...this.#schemas.values()]
    schemas.sort((a, b) => (a.spec.matchingPrecedence ?? 0) - (b.spec.matchingPrecedence ?? 0) || ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
    const routes: Route[] = []
    for (const schema of schemas) {
      const level = this.#levels.get(schema.spec.priorityLevelConfiguration.name)
      // A schema whose level does not exist matches nobody.
      if (level === undefined) continue
      const headers = { [uidHeaders.schema]: schema.metadata.uid ?? '', [uidHeaders.level]: level.uid }
      routes.push({ schema, level, headers, free: { headers, release: nothing } })
    }
    return routes
  }

  #compileLevels(): void {
    const { totalSeats = 600, waitLimitMs = 15_000 } = this.#options
    let shares = 0
    for (const { spec } of this.#configs.values()) shares += sharesOf(spec)
    const levels = new Map<string, Level>()
    for (const [name, config] of this.#configs) {
      const { limited, type } = config.spec
      const seats = shares === 0 ? 0 : Math.ceil((totalSeats * sharesOf(config.spec)) / shares)
      const percent = (value: number | undefined): number => Math.round((seats * (value ?? 0)) / 100)
      const known = this.#levels.get(name)
      const lendable = percent(limited?.lendablePercent ?? config.spec.exempt?.lendablePercent)
      const borrowLimit =
        limited?.borrowingLimitPercent === undefined || limited.borrowingLimitPercent === null ? totalSeats : percent(limited.borrowingLimitPercent)
      const uid = config.metadata.uid ?? ''
      if (type === 'Exempt') {
        levels.set(name, { uid, config, queue: undefined, lendable, borrowLimit })
        continue
      }
      const { queuing } = limited?.limitResponse ?? {}
      const options: FairQueueOptions = {
        seats,
        waitLimitMs,
        queuing:
          limited?.limitResponse?.type === 'Queue'
            ? { queues: queuing?.queues ?? 64, handSize: queuing?.handSize ?? 8, lengthLimit: queuing?.queueLengthLimit ?? 50 }
            : undefined,
      }
      const queue = known?.queue ?? new FairQueue({ clock: this.#clock, borrow: () => this.#mayBorrow(name) }, options)
      levels.set(name, { uid, config, queue, lendable, borrowLimit })
      if (known?.queue !== undefined) queue.configure(options)
    }
    this.#levels = levels
  }

  /** Whether the other levels have idle seats that they lend and nobody else has borrowed already. */
  #mayBorrow(borrower: string): boolean {
    const own = this.#levels.get(borrower)
    if (own?.queue === undefined || own.queue.running >= own.queue.seats + own.borrowLimit) return false
    let free = 0
    for (const [name, { queue, lendable }] of this.#levels) {
      if (queue === undefined) free += lendable
      else {
        if (name !== borrower) free += Math.min(lendable, Math.max(0, queue.seats - queue.running))
        free -= Math.max(0, queue.running - queue.seats)
      }
    }
    return free > 0
  }
}

function nothing(): void {}

const unclassified: FlowTicket = { headers: {}, release: nothing }

function ticketOf(queue: FairQueue, headers: Readonly<Record<string, string>>): FlowTicket {
  let isHeld = true
  return {
    headers,
    release() {
      if (!isHeld) return
      isHeld = false
      queue.leave()
    },
  }
}

function sharesOf(spec: PriorityLevelConfiguration['spec']): number {
  return spec.type === 'Exempt' ? (spec.exempt?.nominalConcurrencyShares ?? 0) : (spec.limited?.nominalConcurrencyShares ?? 30)
}

function matches(rule: PolicyRulesWithSubjects, attributes: Attributes): boolean {
  if (!(rule.subjects ?? []).some((subject) => isSubject(subject, attributes.user))) return false
  if (!attributes.isResource) {
    return (rule.nonResourceRules ?? []).some(
      ({ verbs, nonResourceURLs }) => has(verbs ?? [], attributes.verb) && (nonResourceURLs ?? []).some((pattern) => coversPath(pattern, attributes.path)),
    )
  }
  const { verb, group, resource, subresource, namespace } = attributes
  return (rule.resourceRules ?? []).some(
    (wanted) =>
      has(wanted.verbs ?? [], verb) &&
      has(wanted.apiGroups ?? [], group) &&
      has(wanted.resources ?? [], subresource === '' ? resource : `${resource}/${subresource}`) &&
      (namespace === undefined ? wanted.clusterScope === true : has(wanted.namespaces ?? [], namespace)),
  )
}

function isSubject({ kind, user, group, serviceAccount }: FlowcontrolSubject, who: Attributes['user']): boolean {
  if (kind === 'User') return user !== undefined && (user.name === '*' || user.name === who.username)
  if (kind === 'Group') return group !== undefined && (group.name === '*' || who.groups.includes(group.name))
  if (serviceAccount === undefined) return false
  const prefix = `system:serviceaccount:${serviceAccount.namespace}:`
  return serviceAccount.name === '*' ? who.username.startsWith(prefix) : who.username === prefix + serviceAccount.name
}

/** A path stands for what lies below it, too. */
function coversPath(pattern: string, path: string): boolean {
  if (pattern === '*' || pattern === path) return true
  const prefix = pattern.endsWith('*') ? pattern.slice(0, -1) : pattern
  return path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`)
}

function has(values: readonly string[], value: string): boolean {
  return values.includes(value) || values.includes('*')
}
