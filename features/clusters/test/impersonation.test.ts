import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { KubeClient } from '@gantry/client'
import { clusterKind, conditionOf, impersonationRules, type Cluster } from '@gantry/clusters/api'
import { readWholeBody } from '@gantry/runtime'
import type { UserInfo } from '@gantry/runtime'
import { settle } from '@gantry/runtime/testing'
import { agentObjects } from '../server/agent/agent-manifest.ts'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

const rbac = 'rbac.authorization.k8s.io'
const roles = { group: rbac, version: 'v1', resource: 'clusterroles', kind: 'ClusterRole', namespaced: false }
const roleBindings = { group: rbac, version: 'v1', resource: 'clusterrolebindings', kind: 'ClusterRoleBinding', namespaced: false }

async function allow(
  member: KubeClient,
  name: string,
  rules: readonly unknown[],
  subject: { readonly kind: 'User' | 'Group'; readonly name: string },
): Promise<void> {
  await member.create(roles, { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name }, rules } as never)
  await member.create(roleBindings, {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
    subjects: [{ apiGroup: rbac, ...subject }],
  } as never)
}

async function ask(fleet: TestFleet, user: UserInfo | undefined, path: string): Promise<{ readonly status: number; readonly text: string }> {
  const { signal } = new AbortController()
  const answer = await fleet.directory.get('told')!.handle({ method: 'GET', path, query: '', headers: {}, signal, user })
  return { status: answer.status, text: String(await readWholeBody(answer)) }
}

const readers = { username: 'ann', groups: ['readers', 'system:masters', 'system:authenticated'] }

describe('a cluster that is told who asks', () => {
  test('takes a credential that may become users and groups and little else, and names what is missing of it', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://told.test')
    const request = { name: 'told', server: member.server, token: member.tokens.restricted, impersonate: true }

    await assert.rejects(
      fleet.import(request),
      /the credential may not: impersonate users, impersonate groups, impersonate uids\.authentication\.k8s\.io, list nodes, get namespaces; apply what "gantry cluster impersonation-role" prints/,
    )
    await allow(member.client, 'gantry', impersonationRules, { kind: 'User', name: 'weak' })
    const cluster = await fleet.import(request)

    assert.equal(cluster.spec.connection?.identity, 'Impersonate')
    assert.equal(conditionOf(cluster, 'Ready')?.status, 'True')
  })

  test('decides for users and groups of the platform by its own RBAC, and never for somebody else', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://told.test')
    await allow(member.client, 'gantry', impersonationRules, { kind: 'User', name: 'weak' })
    await fleet.import({ name: 'told', server: member.server, token: member.tokens.restricted, impersonate: true })
    assert.equal((await ask(fleet, readers, '/api/v1/configmaps')).status, 403)
    await allow(member.client, 'configs', [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }], { kind: 'Group', name: 'gantry:readers' })

    assert.equal((await ask(fleet, readers, '/api/v1/configmaps')).status, 200)
    const denied = await ask(fleet, readers, '/api/v1/secrets')
    assert.match(denied.text, /User \\"gantry:ann\\" cannot list resource \\"secrets\\"/)
    // Names of the member's own, or of the platform under another prefix, give nothing.
    for (const user of [
      { username: 'weak', groups: [] },
      { username: 'ann', groups: ['gantry:readers'] },
      { username: 'system:admin', groups: ['system:masters'] },
      { username: 'ann', groups: ['Readers'] },
    ])
      assert.equal((await ask(fleet, user, '/api/v1/configmaps')).status, 403, JSON.stringify(user))
    assert.equal((await ask(fleet, undefined, '/api/v1/configmaps')).status, 403)
    assert.equal((await ask(fleet, { username: 'ann ', groups: ['readers'] }, '/api/v1/configmaps')).status, 403)
  })

  test('becomes one, and is one no longer, with the next request after its Cluster says so', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://told.test')
    await fleet.import({ name: 'told', server: member.server, token: member.tokens.admin })
    const become = async (identity: string | null): Promise<void> => {
      await fleet.hub.patch<Cluster>(clusterKind.ref, { name: 'told' }, { type: 'merge', body: { spec: { connection: { identity } } } })
      await settle()
    }
    assert.equal((await ask(fleet, readers, '/api/v1/secrets')).status, 200)
    await become('Impersonate')
    assert.equal((await ask(fleet, readers, '/api/v1/secrets')).status, 403)
    assert.equal(fleet.directory.impersonates('told'), true)
    await become(null)
    assert.equal((await ask(fleet, readers, '/api/v1/secrets')).status, 200)
  })

  test('has an agent that may become users and groups, and has no rights of theirs itself', () => {
    const options = { cluster: 'told', hub: 'https://hub.test', ca: '', tlsServerName: undefined, token: 't', image: 'i', proxyUrl: undefined }
    const objects = agentObjects({ ...options, access: undefined })
    const bound = objects.filter(({ kind }) => kind === 'ClusterRoleBinding').map((object) => object['roleRef'])
    assert.deepEqual(
      bound,
      ['gantry-agent-leave', 'gantry-agent-access'].map((name) => ({ apiGroup: rbac, kind: 'ClusterRole', name })),
    )
    const role = objects.find(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === 'gantry-agent-access')
    assert.deepEqual(role?.['rules'], impersonationRules)
  })
})
