import type { ApiObject } from '@gantry/apiserver'
import type { Logger } from '@gantry/runtime'

const type = 'kubernetes.io/service-account-token'
const nameAnnotation = 'kubernetes.io/service-account.name'
const uidAnnotation = 'kubernetes.io/service-account.uid'

export interface AccountSecretDeps {
  readonly log: Logger
  readonly account: (namespace: string, name: string) => ApiObject | undefined
  readonly secret: (namespace: string, name: string) => ApiObject | undefined
  readonly tokenFor: (account: ApiObject, secretName: string) => Promise<string>
  /** Writes the Secret at the resourceVersion that it carries. */
  readonly update: (secret: ApiObject) => Promise<unknown>
  readonly remove: (secret: ApiObject) => Promise<unknown>
  /** PEM of the CA behind which the API answers; absent: pods find it elsewhere. */
  readonly ca: string | undefined
}

/**
 * Fills Secrets of type kubernetes.io/service-account-token with a token of their account, and removes them with it (A8). It is told of every change; one Secret is written at a time.
 * Upstream: pkg/controller/serviceaccount/tokens_controller.go.
 */
export class AccountSecrets {
  readonly #deps: AccountSecretDeps
  /** Secrets of this type by account: `namespace/account` to names. */
  readonly #byAccount = new Map<string, Set<string>>()
  readonly #pending = new Set<string>()
  #running: Promise<void> | undefined

  constructor(deps: AccountSecretDeps) {
    this.#deps = deps
  }

  secretChanged(secret: ApiObject): void {
    const account = accountOf(secret)
    if (account === undefined) return
    const names = this.#byAccount.get(account) ?? new Set()
    this.#byAccount.set(account, names.add(secret.metadata.name))
    this.#wake(`${secret.metadata.namespace}/${secret.metadata.name}`)
  }

  secretRemoved(secret: ApiObject): void {
    const account = accountOf(secret)
    const names = account === undefined ? undefined : this.#byAccount.get(account)
    names?.delete(secret.metadata.name)
    if (account !== undefined && names?.size === 0) this.#byAccount.delete(account)
  }

  /** An account came or went. */
  accountChanged({ metadata }: ApiObject): void {
    for (const name of this.#byAccount.get(`${metadata.namespace}/${metadata.name}`) ?? []) this.#wake(`${metadata.namespace}/${name}`)
  }

  /** Resolves when every Secret known so far is as it has to be. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  #wake(key: string): void {
    this.#pending.add(key)
    this.#running ??= this.#run()
  }

  async #run(): Promise<void> {
    await Promise.resolve()
    for (const key of this.#pending) {
      this.#pending.delete(key)
      const [namespace = '', name = ''] = key.split('/')
      try {
        await this.#reconcile(namespace, name)
      } catch (error) {
        // Somebody else wrote it or took it away: that change comes by and wakes this again.
        this.#deps.log.debug('a token secret was not brought up to date', { namespace, name, error })
      }
    }
    this.#running = undefined
  }

  async #reconcile(namespace: string, name: string): Promise<void> {
    const secret = this.#deps.secret(namespace, name)
    if (secret === undefined || secret['type'] !== type || secret.metadata.deletionTimestamp !== undefined) return
    const { annotations = {} } = secret.metadata
    const account = this.#deps.account(namespace, annotations[nameAnnotation] ?? '')
    const wantedUid = annotations[uidAnnotation] ?? ''
    if (account === undefined || (wantedUid !== '' && wantedUid !== account.metadata.uid)) {
      await this.#deps.remove(secret)
      return
    }
    const data = (secret['data'] ?? {}) as Readonly<Record<string, string>>
    const text = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString()
    const isComplete = text('token') !== '' && text('namespace') !== '' && wantedUid !== '' && (this.#deps.ca === undefined || text('ca.crt') === this.#deps.ca)
    if (isComplete) return
    const encode = (value: string): string => Buffer.from(value).toString('base64')
    await this.#deps.update({
      ...secret,
      metadata: { ...secret.metadata, annotations: { ...annotations, [uidAnnotation]: account.metadata.uid } },
      data: {
        ...data,
        ...(this.#deps.ca !== undefined && { 'ca.crt': encode(this.#deps.ca) }),
        ...(text('namespace') === '' && { namespace: encode(namespace) }),
        ...(text('token') === '' && { token: encode(await this.#deps.tokenFor(account, name)) }),
      },
    })
  }
}

function accountOf(secret: ApiObject): string | undefined {
  const name = secret['type'] === type ? secret.metadata.annotations?.[nameAnnotation] : undefined
  return name === undefined || name === '' ? undefined : `${secret.metadata.namespace}/${name}`
}
