import type { Authorizer, Decision } from '@gantry/apiserver'
import type { Clock, Logger } from '@gantry/runtime'
import type { RemoteReviewDeps, ReviewConditions } from '../access-webhooks.ts'
import { webhookAuthorizer } from '../access-webhooks.ts'
import { parseAuthorizationConfiguration } from './authorization-configuration.ts'
import type { AuthorizerRules } from './authorization-configuration.ts'
import { ConfigurationFile } from './configuration-file.ts'
import type { FileSource } from './configuration-file.ts'
import { evaluate } from './expressions.ts'
import type { Expression } from './expressions.ts'

/** The remote end of a webhook, as a kubeconfig file names it. */
export interface WebhookConnection {
  readonly handle: RemoteReviewDeps['handle']
  /** Path and query of the kubeconfig's server. */
  readonly path: string
  close(): Promise<void>
}

export interface ConfiguredAuthorizationDeps {
  readonly clock: Clock
  readonly log: Logger
  /** Throws an Error that says why the kubeconfig cannot be used. */
  readonly openWebhook: (kubeconfigFile: string) => WebhookConnection
  readonly node: Authorizer
  readonly rbac: Authorizer
}

interface Chain {
  readonly authorizers: readonly Authorizer[]
  readonly connections: readonly WebhookConnection[]
}

/** The authorizers of an AuthorizationConfiguration in their order. The file is read again when it changes; a version that is wrong is logged, and the last good one stays. */
export class ConfiguredAuthorization {
  readonly #deps: ConfiguredAuthorizationDeps
  readonly #file: ConfigurationFile
  #chain: Chain

  /** Opens no connection before it is asked something. Throws an Error that names the file and every field that is wrong. */
  constructor(deps: ConfiguredAuthorizationDeps, source: FileSource) {
    this.#deps = deps
    this.#file = new ConfigurationFile(deps, source)
    const kubeconfigProblem = (path: string): string | undefined => {
      try {
        void deps.openWebhook(path).close()
        return undefined
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      }
    }
    const initial = this.#file.parsed((content) => parseAuthorizationConfiguration(content, { kubeconfigProblem }))
    const requiredTypes = new Set(initial.map(({ type }) => type as string).filter((type) => type !== 'Webhook'))
    this.#chain = this.#chainOf(initial)
    this.#file.onChange(async (content) => {
      const next = this.#chainOf(parseAuthorizationConfiguration(content, { kubeconfigProblem, requiredTypes }))
      const { connections } = this.#chain
      this.#chain = next
      await Promise.all(connections.map((connection) => connection.close()))
    })
  }

  /** Those to ask, in order. */
  get authorizers(): readonly Authorizer[] {
    return this.#chain.authorizers
  }

  start(): void {
    this.#file.follow()
  }

  async stop(): Promise<void> {
    await this.#file.stop()
    await Promise.all(this.#chain.connections.map((connection) => connection.close()))
  }

  #chainOf(rules: readonly AuthorizerRules[]): Chain {
    const connections: WebhookConnection[] = []
    const authorizers = rules.map((one): Authorizer => {
      switch (one.type) {
        case 'Node':
          return this.#deps.node
        case 'RBAC':
          return this.#deps.rbac
        case 'AlwaysAllow':
          return () => allowed
        case 'AlwaysDeny':
          return () => forbidden
        case 'Webhook': {
          const connection = this.#deps.openWebhook(one.webhook.kubeconfigFile)
          connections.push(connection)
          const { conditions, ...options } = one.webhook
          return webhookAuthorizer(
            { clock: this.#deps.clock, handle: connection.handle },
            { ...options, path: connection.path, ...(conditions.length > 0 && { conditions: conditionsOf(conditions) }) },
          )
        }
      }
    })
    return { authorizers, connections }
  }
}

const allowed: Decision = { allowed: true, reason: '' }
const forbidden: Decision = { allowed: false, reason: 'Everything is forbidden.' }

/** One condition that does not hold settles it; without one, errors count. Upstream: apiserver pkg/authorization/cel. */
function conditionsOf(conditions: readonly Expression[]): ReviewConditions {
  return (spec) => {
    const variables = { request: reviewValue(spec) }
    const errors: string[] = []
    for (const condition of conditions) {
      const { value, error } = evaluate(condition, variables)
      if (error !== undefined) errors.push(`cel evaluation error: expression '${condition.text}' resulted in error: ${error}`)
      else if (value !== true) return false
    }
    if (errors.length > 0) throw new Error(errors.length === 1 ? errors[0] : `[${errors.join(', ')}]`)
    return true
  }
}

/** With every text, empty ones too: an expression may read them all. */
function reviewValue({ resourceAttributes, nonResourceAttributes, ...spec }: Readonly<Record<string, unknown>>): unknown {
  const empty = { namespace: '', verb: '', group: '', version: '', resource: '', subresource: '', name: '' }
  return {
    user: '',
    uid: '',
    groups: [],
    extra: {},
    ...spec,
    ...(typeof resourceAttributes === 'object' && { resourceAttributes: { ...empty, ...resourceAttributes } }),
    ...(typeof nonResourceAttributes === 'object' && { nonResourceAttributes: { verb: '', path: '', ...nonResourceAttributes } }),
  }
}
