import { StatusError, unlessGone } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import type * as Library from 'oidc-provider'
import { oidcClientKind, type OIDCClient } from '../../api/index.ts'
import type { Identities } from '../identities.ts'
import type { Permissions } from '../permissions/permissions.ts'
import { createProvider, type OpenedProvider } from './provider.ts'
import type { SigningKeys } from './signing-keys.ts'

export interface OidcProvidersDeps {
  readonly hub: KubeClient
  readonly identities: Identities
  readonly permissions: Permissions
  readonly keys: SigningKeys
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
}

// A platform has a few names and addresses.
const maxProviders = 16

interface Opened extends OpenedProvider {
  readonly handle: ReturnType<Library.Provider['callback']>
  readonly version: string
}

/** The provider as callers address it: its issuer is what a client has in its configuration. */
export class OidcProviders {
  readonly #deps: OidcProvidersDeps
  readonly #opened = new Map<string, Opened>()
  readonly #made = new Set<string>()

  constructor(deps: OidcProvidersDeps) {
    this.#deps = deps
  }

  /** `origin`: https://host:port, or empty for a request that names no host. Throws BadRequest. */
  async at(origin: string): Promise<Opened> {
    if (origin === '') throw new StatusError('BadRequest', 'the Host header names no host: it is a part of the issuer')
    const ring = await this.#deps.keys.ring()
    const known = this.#opened.get(origin)
    if (known?.version === ring.version) return known
    // Not before somebody asks: it costs 20 MB.
    const library = await import('oidc-provider')
    const made = createProvider({ ...this.#deps, library, made: this.#made, findClient: (id) => this.findClient(id) }, { origin, ring })
    const opened: Opened = { ...made, handle: made.provider.callback(), version: ring.version }
    for (const oldest of this.#opened.keys()) {
      if (this.#opened.size < maxProviders) break
      this.#opened.delete(oldest)
    }
    this.#opened.delete(origin)
    this.#opened.set(origin, opened)
    return opened
  }

  async findClient(id: string): Promise<OIDCClient | undefined> {
    if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(id)) return undefined
    return unlessGone(this.#deps.hub.get<OIDCClient>(oidcClientKind.ref, { name: id }))
  }
}
