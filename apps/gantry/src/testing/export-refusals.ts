import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { explainNetworkError } from '@gantry/client'
import type { DiscoveredResource, KubeClient, KubeObject } from '@gantry/client'
import { systemClock, systemIds } from '@gantry/runtime'
import { apply, tryOut } from '../export/apply.ts'
import type { Exported } from '../export/collect.ts'
import { applyOutcome, dryRunOutcome } from '../export/outcome.ts'

const waitMs = 50
const waits = 400

function served(resource: string, kind: string, more: Partial<DiscoveredResource> = {}): DiscoveredResource {
  return { group: '', version: 'v1', resource, kind, namespaced: true, verbs: [], preferred: true, ...more }
}

const namespaces = served('namespaces', 'Namespace', { namespaced: false })
const configMaps = served('configmaps', 'ConfigMap')
const quotas = served('resourcequotas', 'ResourceQuota')
const deployments = served('deployments', 'Deployment', { group: 'apps' })
const berths = served('berths', 'Berth', { group: 'nowhere.example.com' })
const policies = served('validatingadmissionpolicies', 'ValidatingAdmissionPolicy', { group: 'admissionregistration.k8s.io', namespaced: false })
const bindings = served('validatingadmissionpolicybindings', 'ValidatingAdmissionPolicyBinding', { group: 'admissionregistration.k8s.io', namespaced: false })

function objectOf(resource: DiscoveredResource, metadata: KubeObject['metadata'], more: object = {}): KubeObject {
  return {
    apiVersion: resource.group === '' ? resource.version : `${resource.group}/${resource.version}`,
    kind: resource.kind,
    metadata,
    ...more,
  }
}

function exported(resource: DiscoveredResource, object: KubeObject): Exported {
  return { resource, object: object as Exported['object'], owners: [], uid: '' }
}

function settings(namespace: string, ...names: readonly string[]): Exported[] {
  return names.map((name) => exported(configMaps, objectOf(configMaps, { name, namespace }, { data: { of: name } })))
}

function deployment(namespace: string, app: string): KubeObject {
  const template = { metadata: { labels: { app } }, spec: { containers: [{ name: 'web', image: 'example.com/web:1' }] } }
  return objectOf(deployments, { name: 'web', namespace }, { spec: { selector: { matchLabels: { app } }, template } })
}

/** What an export tells of a cluster that does not take all of it. `open` gives a client of the cluster under test, an administrator's. */
export function describeRefusals(open: () => Promise<KubeClient> | KubeClient): void {
  const how = { force: false, signal: new AbortController().signal, clock: systemClock }

  /** A namespace that is removed, with what is in it, after the test. */
  async function ownNamespace(t: TestContext, target: KubeClient): Promise<string> {
    const name = `export-${systemIds
      .secret(6)
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, '0')}`
    await target.create(namespaces, objectOf(namespaces, { name }))
    t.after(async () => {
      for (const resource of [configMaps, deployments, quotas]) {
        const { items } = await target.list(resource, { namespace: name })
        for (const { metadata } of items) await target.delete(resource, { namespace: name, name: metadata.name ?? '' }, { propagationPolicy: 'Background' })
      }
      await target.delete(namespaces, { name })
      // No controller ends namespaces here.
      const ending = await target.get<KubeObject>(namespaces, { name })
      await target.update(namespaces, { ...ending, ...objectOf(namespaces, ending.metadata, { spec: {} }) }, { subresource: 'finalize' })
    })
    return name
  }

  /** Makes a cluster-scoped object for the time of a test. */
  async function put(t: TestContext, target: KubeClient, resource: DiscoveredResource, more: { readonly name: string; readonly spec: object }): Promise<void> {
    const { name, spec } = more
    await target.create(resource, objectOf(resource, { name }, { spec }))
    t.after(() => target.delete(resource, { name }))
  }

  async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < waits; tries++) {
      if (await holds()) return
      await systemClock.sleep(waitMs)
    }
    throw new Error(`it did not come to be that ${what}`)
  }

  async function namesIn(target: KubeClient, namespace: string): Promise<readonly string[]> {
    const { items } = await target.list(configMaps, { namespace })
    return items.map(({ metadata }) => metadata.name ?? '').filter((name) => name !== 'kube-root-ca.crt')
  }

  describe('gantry export tells', () => {
    test('what a policy, a field that cannot change and a kind that is not there would refuse, and writes nothing', async (t) => {
      const target = await open()
      const namespace = await ownNamespace(t, target)
      await put(t, target, policies, {
        name: namespace,
        spec: {
          failurePolicy: 'Fail',
          matchConstraints: {
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
            resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
          },
          validations: [{ expression: "object.metadata.name != 'denied'", message: 'not here' }],
        },
      })
      await put(t, target, bindings, { name: namespace, spec: { policyName: namespace, validationActions: ['Deny'] } })
      await until('the policy denies', async () => (await tryOut(target, settings(namespace, 'denied'), how)).failures.length === 1)
      await target.create(deployments, deployment(namespace, 'before'))
      const objects = [
        ...settings(namespace, 'allowed', 'denied'),
        exported(deployments, deployment(namespace, 'after')),
        exported(berths, objectOf(berths, { name: 'north', namespace })),
      ]

      // Taking over fields does not help where they cannot change.
      const forced = { ...how, force: true }

      const tried = await tryOut(target, objects, forced)

      assert.deepEqual(
        tried.failures.map(({ object }) => object),
        [`configmaps ${namespace}/denied`, `deployments.apps ${namespace}/web`, `berths.nowhere.example.com ${namespace}/north`],
      )
      assert.throws(
        () => dryRunOutcome(tried, 'other'),
        (error: Error) => {
          assert.match(
            error.message,
            /^the cluster of context "other" would refuse 3 objects: configmaps .*denied request: not here\), deployments\.apps .*field is immutable/,
          )
          assert.match(error.message, /\(the target does not serve berths\.nowhere\.example\.com in nowhere\.example\.com\/v1\); nothing was written$/)
          return true
        },
      )
      assert.deepEqual(await namesIn(target, namespace), [])

      const applied = await apply(target, objects, forced)
      assert.throws(
        () => applyOutcome(applied, 'other'),
        /refused 3 objects: .*; of the rest: 1 created, 0 changed, 0 unchanged; mend that and export again, what has arrived stays as it is$/,
      )
      assert.deepEqual(await namesIn(target, namespace), ['allowed'])
    })

    test('what no longer fits into a quota, and goes on from there when there is room', async (t) => {
      const target = await open()
      const namespace = await ownNamespace(t, target)
      const objects = settings(namespace, 'a', 'b', 'c')
      const refusals = async (): Promise<number> => (await tryOut(target, objects, how)).failures.length
      let quota = await target.create(quotas, objectOf(quotas, { name: 'small', namespace }, { spec: { hard: { 'count/configmaps': '1' } } }))
      // The part of the quota controller, which does not run everywhere. Full at first: that it is enforced can be seen.
      for (const used of ['1', '0']) {
        const status = { hard: { 'count/configmaps': '1' }, used: { 'count/configmaps': used } }
        quota = await target.update(quotas, { ...quota, status } as KubeObject, { subresource: 'status' })
        await until(`${used} of 1 are in use`, async () => (await refusals()) === (used === '1' ? 3 : 0))
      }

      const applied = await apply(target, objects, how)

      assert.equal(applied.created, 1)
      assert.throws(() => applyOutcome(applied, 'other'), /refused 2 objects: configmaps .*\/b \(.*exceeded quota: small.*; of the rest: 1 created/)
      assert.deepEqual(await namesIn(target, namespace), ['a'])
      await target.delete(quotas, { namespace, name: 'small' })
      await until('nothing is refused any more', async () => (await apply(target, objects, how)).failures.length === 0)
      assert.equal(applyOutcome(await apply(target, objects, how), 'other'), 'applied to other: 0 created, 0 changed, 3 unchanged')
    })

    test('where the connection failed, what had arrived until then, and goes on from there', async (t) => {
      const target = await open()
      const namespace = await ownNamespace(t, target)
      const objects = settings(namespace, 'a', 'b', 'c', 'd')
      let writes = 0
      const failing: KubeClient = {
        ...target,
        request: (request) =>
          request.method === 'PATCH' && ++writes > 2
            ? Promise.reject(explainNetworkError(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }), 'https://other.example.com'))
            : target.request(request),
      }

      const applied = await apply(failing, objects, how)

      assert.throws(
        () => applyOutcome(applied, 'other'),
        (error: Error) => {
          assert.match(error.message, /^the connection to the cluster of context "other" failed at configmaps \S+\/c \(.*https:\/\/other\.example\.com/)
          assert.match(
            error.message,
            /; before it: 2 created, 0 changed, 0 unchanged; not sent: 1; whether configmaps \S+\/c has arrived is not known; export again/,
          )
          return true
        },
      )
      assert.deepEqual(await namesIn(target, namespace), ['a', 'b'])
      const tried = await tryOut(failing, objects, how)
      assert.throws(() => dryRunOutcome(tried, 'other'), /failed at configmaps \S+\/a .*; nothing was written$/)
      assert.equal(applyOutcome(await apply(target, objects, how), 'other'), 'applied to other: 2 created, 0 changed, 2 unchanged')
    })
  })
}
