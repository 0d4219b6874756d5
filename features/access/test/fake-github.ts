import { createHash } from 'node:crypto'
import type { OutboundDeps } from '@gantry/access/server'
import type { Handler, HttpResponse } from '@gantry/runtime'
import { json } from './fake-oidc-provider.ts'

/** A provider of GitHub's shape, in process: errors with status 200, scopes with commas, groups in pages, no issuer and no ID token worth anything. */
export class FakeGithub {
  user: Record<string, unknown> = { id: 583231, login: 'Octo_Cat', name: 'Octo Cat', email: 'octo@example.com' }
  orgs: readonly string[] = ['acme', 'tools']
  readonly asked: { readonly host: string; readonly path: string; readonly authorization: string | undefined }[] = []
  /** Where the second page of groups is said to be. */
  nextPage = 'https://api.github.test/user/orgs?page=2'
  readonly #codes = new Map<string, string>()

  readonly settings = {
    authorizationURL: 'https://github.test/login/oauth/authorize',
    tokenURL: 'https://github.test/login/oauth/access_token',
    userInfoURL: 'https://api.github.test/user',
    groupsURL: 'https://api.github.test/user/orgs?per_page=1',
    clientID: 'gantry',
    clientSecret: 'github',
    scopes: ['read:user', 'read:org'],
  }

  get outbound(): Pick<OutboundDeps, 'lookup' | 'openTransport'> {
    return {
      lookup: () => Promise.resolve(['192.0.2.81']),
      openTransport: ({ server }) => ({
        handle: (request) => {
          const { authorization } = request.headers
          this.asked.push({ host: new URL(server).host, path: request.path, authorization: typeof authorization === 'string' ? authorization : undefined })
          return this.#handle(request)
        },
        close: () => Promise.resolve(),
      }),
    }
  }

  agree(location: string): string {
    const { searchParams } = new URL(location)
    const code = `code-${this.#codes.size + 1}`
    this.#codes.set(code, searchParams.get('code_challenge') ?? '')
    return `/auth/callback/github?${new URLSearchParams({ code, state: searchParams.get('state') ?? '', iss: 'https://github.test/login/oauth' }).toString()}`
  }

  readonly #handle: Handler = async (request): Promise<HttpResponse> => {
    if (request.path === '/login/oauth/access_token') {
      const form = new URLSearchParams((await request.body?.bytes(10_000))?.toString() ?? '')
      const challenge = this.#codes.get(form.get('code') ?? '')
      const isRight =
        form.get('client_secret') === 'github secret' &&
        challenge ===
          createHash('sha256')
            .update(form.get('code_verifier') ?? '')
            .digest('base64url')
      if (!isRight) return json({ error: 'bad_verification_code', error_description: 'The code passed is incorrect or expired.' })
      return json({ access_token: 'gho_fake', token_type: 'bearer', scope: 'read:org,read:user', id_token: 'not.a.token' })
    }
    if (request.headers['authorization'] !== 'Bearer gho_fake') return json({ message: 'Requires authentication' }, 401)
    if (request.path === '/user') return json(this.user)
    if (request.path !== '/user/orgs') return json({ message: 'Not Found' }, 404)
    const [first, ...others] = this.orgs.map((login) => ({ login }))
    if (request.query.includes('page=2')) return json(others)
    return {
      ...json([first]),
      headers: { 'content-type': 'application/json', link: `<${this.nextPage}>; rel="next", <https://api.github.test/x>; rel="last"` },
    }
  }
}
