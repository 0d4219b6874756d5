import { X509Certificate } from 'node:crypto'
import { isReason } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import type { KubeClient, KubeObject } from '@gantry/client'
import { exponentialDelayMs } from '@gantry/runtime'
import type { Clock, Logger } from '@gantry/runtime'
import { resources } from '../resources.ts'

/** How extension servers tell that a request comes from this server, and who may come to them directly. */
export interface ExtensionTrust {
  /** PEM of the authority behind this server's own certificate towards them. */
  readonly requestHeaderCa: string
  /** Common names of that certificate. */
  readonly allowedNames: readonly string[]
  /** PEM of the authority behind the certificates of clients; absent: there are none. */
  readonly clientCa?: string | undefined
}

export interface ExtensionTrustDeps {
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  /** The stored ConfigMap as it is now. */
  readonly find: () => ApiObject | undefined
}

type Data = Readonly<Record<string, string>>

/** Where every extension server looks it up. */
export const extensionTrustName = { namespace: 'kube-system', name: 'extension-apiserver-authentication' } as const

const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g
const retry = { baseMs: 1_000, maxMs: 60_000 }

/**
 * Keeps what extension servers trust in ConfigMap kube-system/extension-apiserver-authentication (G1): it comes back when it is deleted, and what is missing in it is put in again. What others
 * have put under the same keys stays beside it, so that several API servers of one cluster get along; authorities that have expired go. Upstream: pkg/controlplane/controller/clusterauthenticationtrust.
 */
export class PublishedExtensionTrust {
  readonly #deps: ExtensionTrustDeps
  readonly #trust: ExtensionTrust
  #working: Promise<void> | undefined
  #again = false
  #failures = 0
  #cancel = (): void => {}
  #stopped = false

  constructor(deps: ExtensionTrustDeps, trust: ExtensionTrust) {
    this.#deps = deps
    this.#trust = trust
  }

  /** Makes it, or brings it up to date. Rejects when it cannot be written. */
  async ensure(): Promise<void> {
    const found = this.#deps.find()
    const before = (found as { readonly data?: Data } | undefined)?.data ?? {}
    const data = this.#wanted(before)
    if (found === undefined) {
      await this.#deps.client.create<KubeObject>(resources.configMaps, { metadata: { ...extensionTrustName }, data } as KubeObject)
    } else if (!isSame(before, data)) {
      await this.#deps.client.update<KubeObject>(resources.configMaps, { ...found, data } as unknown as KubeObject)
    }
  }

  /** It has changed, or is gone. */
  changed(): void {
    if (this.#stopped) return
    this.#cancel()
    if (this.#working !== undefined) this.#again = true
    else this.#working = this.#keep().finally(() => (this.#working = undefined))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel()
    await this.#working
  }

  async #keep(): Promise<void> {
    do {
      this.#again = false
      try {
        await this.ensure()
        this.#failures = 0
      } catch (error) {
        // Somebody else has written it meanwhile: that change is told, too.
        if (isReason(error, 'Conflict') || isReason(error, 'AlreadyExists') || isReason(error, 'NotFound')) continue
        this.#failures++
        this.#deps.log.warn('what extension servers trust could not be published', { ...extensionTrustName, error })
        this.#cancel = this.#deps.clock.schedule(() => this.changed(), exponentialDelayMs(this.#failures, retry))
      }
    } while (this.#again && !this.#stopped)
  }

  #wanted(found: Data): Data {
    const { requestHeaderCa, allowedNames, clientCa } = this.#trust
    const now = this.#deps.clock.now()
    const names = (key: string, own: readonly string[]): string => JSON.stringify([...new Set([...namesIn(found[key]), ...own])])
    const authorities = (key: string, own = ''): string => authoritiesIn(`${found[key] ?? ''}\n${own}`, now)
    const clients = authorities('client-ca-file', clientCa)
    return {
      ...(clients === '' ? {} : { 'client-ca-file': clients }),
      'requestheader-allowed-names': names('requestheader-allowed-names', allowedNames),
      'requestheader-client-ca-file': authorities('requestheader-client-ca-file', requestHeaderCa),
      'requestheader-extra-headers-prefix': names('requestheader-extra-headers-prefix', ['X-Remote-Extra-']),
      'requestheader-group-headers': names('requestheader-group-headers', ['X-Remote-Group']),
      'requestheader-username-headers': names('requestheader-username-headers', ['X-Remote-User']),
    }
  }
}

function isSame(one: Data, other: Data): boolean {
  const keys = Object.keys(one)
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key])
}

/** What is no list of texts says nothing. */
function namesIn(text: string | undefined): readonly string[] {
  try {
    const value: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
  } catch {
    return []
  }
}

/** Each certificate once, in the form that every reader takes; what is none, and what has expired, is left out. */
function authoritiesIn(text: string, now: Date): string {
  const found = new Set<string>()
  for (const [block] of text.matchAll(certificateBlock)) {
    try {
      const certificate = new X509Certificate(block)
      if (certificate.validToDate > now) found.add(certificate.toString())
    } catch {
      // Not a certificate, whatever its frame says.
    }
  }
  return [...found].join('')
}
