import { authorizerValue, resourceCheckValue } from '@gantry/cel'
import type { AuthorizerAttributes, AuthorizerDecision } from '@gantry/cel'
import type { AdmissionRequest, Attributes, Authorizer, Decision } from '@gantry/apiserver'
import type { UserInfo } from '@gantry/runtime'
import { nameOf, namespaceOf, targetOf } from '../webhooks/request-target.ts'

const maxRounds = 64

/**
 * `authorizer` of expressions. They run in one go and an authorizer may have to ask somebody else: a check whose answer is not known yet is noted down, asked, and the expressions
 * are run again. Answers are kept for the request.
 */
export class AccessChecks {
  readonly #authorize: Authorizer
  readonly #request: AdmissionRequest
  readonly #known = new Map<string, AuthorizerDecision>()
  #asked = new Map<string, Promise<Decision>>()

  constructor(authorize: Authorizer, request: AdmissionRequest) {
    this.#authorize = authorize
    this.#request = request
  }

  /** The values of `authorizer` and `authorizer.requestResource`. */
  variables(): Record<string, unknown> {
    const { resource } = targetOf(this.#request)
    const check = (attributes: AuthorizerAttributes): AuthorizerDecision => this.#check(attributes)
    const ofRequest = {
      group: resource.group,
      resource: resource.resource,
      subresource: this.#request.subresource,
      namespace: namespaceOf(this.#request),
      name: nameOf(this.#request),
    }
    return { authorizer: authorizerValue(check), 'authorizer.requestResource': resourceCheckValue(check, ofRequest) }
  }

  /** Runs until every check that it makes is known. */
  async settle<T>(run: () => T): Promise<T> {
    for (let round = 1; ; round++) {
      const result = run()
      if (this.#asked.size === 0) return result
      if (round === maxRounds) throw new Error(`expressions asked for access in more than ${maxRounds} rounds`)
      const asked = this.#asked
      this.#asked = new Map()
      for (const [key, decision] of asked) this.#known.set(key, await answer(decision))
    }
  }

  #check(attributes: AuthorizerAttributes): AuthorizerDecision {
    const key = JSON.stringify(attributes)
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const asked = attributesOf(attributes, this.#request.context.user)
    const decision = asked.user.groups.includes('system:masters') ? everythingAllowed : this.#authorize(asked)
    if (decision instanceof Promise) {
      this.#asked.set(key, decision)
      return { allowed: false, reason: '' }
    }
    this.#known.set(key, decision)
    return decision
  }
}

const everythingAllowed: Decision = { allowed: true, reason: '' }

async function answer(decision: Promise<Decision>): Promise<AuthorizerDecision> {
  try {
    return await decision
  } catch (error) {
    return { allowed: false, reason: '', error: error instanceof Error ? error.message : String(error) }
  }
}

function attributesOf(asked: AuthorizerAttributes, caller: UserInfo): Attributes {
  const { serviceAccount, path } = asked
  const user =
    serviceAccount === undefined
      ? caller
      : {
          username: `system:serviceaccount:${serviceAccount.namespace}:${serviceAccount.name}`,
          groups: ['system:serviceaccounts', `system:serviceaccounts:${serviceAccount.namespace}`, 'system:authenticated'],
        }
  return {
    user,
    verb: asked.verb,
    isResource: path === undefined,
    path: path ?? '',
    group: asked.group ?? '',
    version: '*',
    resource: asked.resource ?? '',
    subresource: asked.subresource ?? '',
    namespace: (asked.namespace ?? '') === '' ? undefined : asked.namespace,
    name: asked.name ?? '',
  }
}
