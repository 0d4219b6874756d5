import type { KubeClient } from '@gantry/client'
import { ObjectMirror, type AuditLevel, type Exchange } from '@gantry/gateway'
import type { Clock, Ids, Logger, Running } from '@gantry/runtime'
import { auditPath, auditPolicyKind, type AuditPolicy, type AuditRule } from '../api/index.ts'
import type { AuditLog } from './audit-log.ts'

export interface AuditPoliciesDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** Told of every policy that comes into force. */
  readonly audit: Pick<AuditLog, 'policyInForce'>
}

/** The audit policy of the platform, mirrored: says of each request what is recorded. What changes or reads the audit itself is on record whatever it says. */
export class AuditPolicies {
  readonly #mirror: ObjectMirror<AuditPolicy>
  #levelOf: LevelOf | undefined

  constructor(deps: AuditPoliciesDeps) {
    this.#mirror = new ObjectMirror<AuditPolicy>({ client: deps.hub, clock: deps.clock, ids: deps.ids, log: deps.log }, { resource: auditPolicyKind.ref })
    this.#mirror.onChange(({ before, after }) => {
      if (JSON.stringify(before?.spec) === JSON.stringify(after?.spec)) return
      this.#levelOf = after === undefined ? undefined : auditLevels(after.spec.rules)
      deps.audit.policyInForce(after?.spec.rules ?? [])
    })
  }

  start(options: { readonly signal: AbortSignal }): Promise<Running> {
    return this.#mirror.start(options)
  }

  readonly levelOf = (exchange: Exchange): AuditLevel => this.#levelOf?.(exchange) ?? 'Metadata'
}

type LevelOf = (exchange: Exchange) => AuditLevel

/** The level of the first rule that fits, Metadata where none does, within what no rule can change. */
export function auditLevels(rules: readonly AuditRule[]): LevelOf {
  const compiled = rules.map((rule) => ({ level: rule.level, fits: compileRule(rule) }))
  return (exchange) => withinLimits(exchange, compiled.find(({ fits }) => fits(exchange))?.level ?? 'Metadata')
}

function compileRule({ users, userGroups, verbs, clusters, namespaces, resources, nonResourceURLs }: AuditRule): (exchange: Exchange) => boolean {
  const isUser = wordTest(users)
  const isGroup = wordTest(userGroups)
  const isVerb = wordTest(verbs)
  const isCluster = wordTest(clusters)
  const isNamespace = wordTest(namespaces)
  const isPath = wordTest(nonResourceURLs)
  const isResource = resources?.map(resourceTest)
  return ({ caller, target, request }) => {
    if (users !== undefined || userGroups !== undefined) {
      // Whom only the hub's own authenticators know is nobody that a rule could name.
      if (caller.kind !== 'platform') return false
      if (users !== undefined && !isUser(caller.user.username)) return false
      if (userGroups !== undefined && !caller.user.groups.some(isGroup)) return false
    }
    if (verbs !== undefined && !isVerb(target?.verb ?? request.method.toLowerCase())) return false
    if (clusters !== undefined && (target === undefined || !isCluster(target.cluster))) return false
    const isAboutResource = target?.info.isResource === true
    if (nonResourceURLs !== undefined && (isAboutResource || !isPath(target?.path ?? request.path))) return false
    if (namespaces !== undefined && (!isAboutResource || !isNamespace(target.info.namespace ?? ''))) return false
    return isResource === undefined || (isAboutResource && isResource.some((test) => test(target.info)))
  }
}

type ResourceInfo = NonNullable<Exchange['target']>['info']

function resourceTest({ group = '', resources, resourceNames }: NonNullable<AuditRule['resources']>[number]): (info: ResourceInfo) => boolean {
  const isName = wordTest(resourceNames)
  return (info) => {
    if (group !== '*' && group !== info.group) return false
    if (resourceNames !== undefined && !isName(info.name)) return false
    return resources === undefined || resources.some((wanted) => isResourceWord(wanted, info))
  }
}

function isResourceWord(wanted: string, { resource, subresource }: ResourceInfo): boolean {
  if (wanted === '*') return true
  const [name = '', sub = ''] = wanted.split('/')
  return (name === '*' || name === resource) && (sub === subresource || (sub === '*' && subresource !== ''))
}

function wordTest(words: readonly string[] | undefined): (text: string) => boolean {
  const whole = new Set(words?.filter((word) => !word.endsWith('*')))
  const beginnings = (words ?? []).flatMap((word) => (word.endsWith('*') ? [word.slice(0, -1)] : []))
  return (text) => whole.has(text) || beginnings.some((beginning) => text.startsWith(beginning))
}

const reads: ReadonlySet<string> = new Set(['get', 'list', 'watch'])
/** Below these an object is still itself; anything else may answer with a credential, or speaks with a program. */
const plainSubresources: ReadonlySet<string> = new Set(['', 'status', 'scale', 'eviction', 'binding'])
const crds = 'customresourcedefinitions'
const hiddenGroups: ReadonlySet<string> = new Set(['access.gantry.dev', 'authentication.k8s.io', 'oauth.openshift.io'])

/** What no policy can change: the audit itself is on record, with what is written to the policy; and what may be a credential is not. */
function withinLimits({ target, request }: Exchange, level: AuditLevel): AuditLevel {
  if (request.path === auditPath || request.path.startsWith(`${auditPath}/`)) return level === 'None' ? 'Metadata' : level
  const info = target?.info
  if (target === undefined || info?.isResource !== true) return level === 'None' ? level : 'Metadata'
  const { group, resource, subresource, name } = info
  if (!reads.has(target.verb)) {
    if (group === auditPolicyKind.group) return level === 'RequestResponse' ? level : 'Request'
    if (resource === crds && (name === '' || name.endsWith(`.${auditPolicyKind.group}`)) && level === 'None') return 'Metadata'
  }
  if (level === 'None' || level === 'Metadata') return level
  const mayBeSecret = /secret|token|credential|password/i.test(resource) || hiddenGroups.has(group) || !plainSubresources.has(subresource)
  return mayBeSecret || target.verb === 'watch' ? 'Metadata' : level
}
