import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { identityProviderKind, userKind, type IdentityProvider, type User } from '@gantry/access/api'
import type { ResourceRef } from '@gantry/client'
import { settle } from '@gantry/runtime/testing'
import { FakeGithub } from './fake-github.ts'
import { startTestPlatform, type Answer, type TestPlatform } from './test-platform.ts'

const secrets: ResourceRef = { group: '', version: 'v1', resource: 'secrets', kind: 'Secret', namespaced: true }

async function world(
  spec: Partial<IdentityProvider['spec']> = {},
): Promise<{ readonly platform: TestPlatform; readonly github: FakeGithub } & AsyncDisposable> {
  const github = new FakeGithub()
  const platform = await startTestPlatform({ outbound: github.outbound })
  const data = { 'client-secret': Buffer.from('github secret').toString('base64') }
  await platform.hub.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'github', namespace: 'gantry-system' }, data } as never)
  const { apiVersion, kind, ref } = identityProviderKind
  const object: IdentityProvider = {
    apiVersion,
    kind,
    metadata: { name: 'github' },
    spec: { type: 'OAuth2', createUsers: true, oauth2: github.settings, ...spec },
  }
  await platform.hub.create<IdentityProvider>(ref, object)
  await settle()
  return { platform, github, [Symbol.asyncDispose]: () => platform[Symbol.asyncDispose]() }
}

async function signIn({ platform, github }: { readonly platform: TestPlatform; readonly github: FakeGithub }): Promise<Answer> {
  const begun = await platform.ask('GET', '/auth/login/github')
  const cookie = /^([^;]+);/.exec(String(begun.headers['set-cookie']))?.[1]
  return platform.ask('GET', github.agree(String(begun.headers['location'])), { headers: { cookie } })
}

const userOf = (platform: TestPlatform, name: string): Promise<User> => platform.hub.get<User>(userKind.ref, { name })

describe('signing in with OAuth 2.0 of GitHub’s shape', () => {
  test('makes a user of the number that never changes, with groups of every page', async () => {
    await using at = await world()

    const answer = await signIn(at)

    assert.equal(answer.headers['location'], '/console/')
    const user = await userOf(at.platform, 'github.octo-cat')
    assert.deepEqual(user.spec, { displayName: 'Octo Cat', identity: { provider: 'github', subject: '583231' } })
    assert.deepEqual(user.status?.groups, ['github:acme', 'github:tools'])
  })

  test('does not follow a page of groups to another server with the token', async () => {
    await using at = await world()
    at.github.nextPage = 'https://evil.example/user/orgs?page=2'

    await signIn(at)

    assert.ok(at.github.asked.every(({ host }) => host.endsWith('github.test')))
    assert.deepEqual((await userOf(at.platform, 'github.octo-cat')).status?.groups, ['github:acme'])
  })

  test('does not take an account for another that has got its login name', async () => {
    await using at = await world()
    await signIn(at)
    at.github.user = { id: 99, login: 'Octo_Cat' }

    const answer = await signIn(at)

    assert.equal(answer.headers['location'], '/console/login?problem=name-taken&provider=github')
  })

  test('lets nobody in by an address that nobody has checked', async () => {
    await using at = await world({ allowedDomains: ['example.com'] })
    assert.equal((await signIn(at)).headers['location'], '/console/login?problem=not-allowed&provider=github')
  })

  test('lets members of an organization in', async () => {
    await using at = await world({ allowedGroups: ['tools'] })
    const member = await signIn(at)
    at.github.orgs = ['acme']
    const stranger = await signIn(at)

    assert.equal(member.headers['location'], '/console/')
    assert.equal(stranger.headers['location'], '/console/login?problem=not-allowed&provider=github')
  })

  test('reads an error that comes with status 200', async () => {
    await using at = await world()
    const begun = await at.platform.ask('GET', '/auth/login/github')
    const state = new URL(String(begun.headers['location'])).searchParams.get('state') ?? ''
    const cookie = /^([^;]+);/.exec(String(begun.headers['set-cookie']))?.[1]

    const answer = await at.platform.ask('GET', `/auth/callback/github?code=wrong&state=${state}`, { headers: { cookie } })

    assert.equal(answer.headers['location'], '/console/login?problem=refused-there&provider=github')
  })

  test('wants something that identifies an account', async () => {
    await using at = await world()
    for (const id of [undefined, '', true, { a: 1 }, 1.5]) {
      at.github.user = { login: 'octo', id }
      assert.equal((await signIn(at)).headers['location'], '/console/login?problem=unavailable&provider=github')
    }
    const { status } = await at.platform.hub.get<IdentityProvider>(identityProviderKind.ref, { name: 'github' })
    assert.match(status?.conditions?.[0]?.message ?? '', /say in spec\.oauth2\.fields\.id what identifies an account/)
  })
})
