import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import type { Answer } from '../src/target.ts'

function warningsOf({ headers }: Answer): string[] {
  return [headers['warning'] ?? []].flat().map((text) => text.replace(/^299 - "|"$/g, '').replaceAll(String.raw`\"`, '"'))
}

const container = { name: 'main', image: 'app' }

export const warnings = conformance('warnings', ({ api, claim }) => {
  claim('warns of what a pod may say and should not (C20)', async (t) => {
    const namespace = await api.namespace(t)
    const answer = await api.post(`${namespace}/pods?dryRun=All`, {
      metadata: { name: 'a.b', annotations: { 'scheduler.alpha.kubernetes.io/critical-pod': '' } },
      spec: {
        nodeSelector: { 'beta.kubernetes.io/os': 'linux' },
        imagePullSecrets: [{}],
        hostAliases: [{ ip: '192.0.2.1' }, { ip: '192.0.2.1' }],
        topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }],
        containers: [
          {
            ...container,
            env: [
              { name: 'A', value: '1' },
              { name: 'A', value: '2' },
              { name: 'A', value: '$(A)3' },
            ],
            ports: [
              { name: 'http', containerPort: 80, hostIP: '127.0.0.1' },
              { containerPort: 80, hostPort: 80 },
            ],
            resources: { limits: { memory: '1500m' } },
          },
          { ...container, name: 'other', ports: [{ name: 'http', containerPort: 81 }] },
        ],
        volumes: [
          { name: 'ceph', cephfs: { monitors: ['m'] } },
          {
            name: 'files',
            configMap: {
              name: 'c',
              items: [
                { key: 'a', path: 'dir' },
                { key: 'b', path: 'dir/file' },
              ],
            },
          },
        ],
      },
    })

    assert.equal(answer.code, 201, answer.text)
    assert.deepEqual(warningsOf(answer), [
      "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]",
      'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
      'spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod',
      'metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the "priorityClassName" field instead',
      'spec.volumes[0].cephfs: deprecated in v1.28, non-functional in v1.31+',
      'volume "files" (ConfigMap "c"): overlapping paths: "dir/file" with "dir"',
      'spec.hostAliases[1].ip: duplicate ip "192.0.2.1"',
      'spec.imagePullSecrets[0].name: invalid empty name ""',
      'spec.containers[0].resources.limits[memory]: fractional byte value "1500m" is invalid, must be an integer',
      'spec.containers[0].resources.requests[memory]: fractional byte value "1500m" is invalid, must be an integer',
      'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
      'spec.containers[0].ports[0]: hostIP set without hostPort: {Name:http HostPort:0 ContainerPort:80 Protocol:TCP HostIP:127.0.0.1}',
      'spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]',
      'spec.containers[1].ports[0]: duplicate port name "http" with spec.containers[0].ports[0], services and probes that select ports by name will use spec.containers[0].ports[0]',
    ])
  })

  claim('warns of a template where it is new, and not again (C20)', async (t) => {
    const namespace = await api.namespace(t)
    const labels = { a: 'b' }
    const body = {
      metadata: { name: 'web' },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { imagePullSecrets: [{}], containers: [container] } } },
    }
    const text = 'spec.template.spec.imagePullSecrets[0].name: invalid empty name ""'

    const created = await api.post(`${namespace}/deployments`.replace('/api/v1/', '/apis/apps/v1/'), body)
    const path = `${namespace}/deployments/web`.replace('/api/v1/', '/apis/apps/v1/')
    const labelled = await api.patch('merge', path, { metadata: { labels: { x: 'y' } } })
    const annotated = await api.patch('merge', path, { metadata: { annotations: { x: 'y' } } })
    const scaled = await api.patch('merge', path, { spec: { replicas: 2 } })

    assert.deepEqual([created, labelled, annotated, scaled].map(warningsOf), [[text], [], [text], [text]])
    assert.equal(scaled.json.metadata.generation, 3)
  })

  claim('does not warn of what it refuses (C20)', async (t) => {
    const namespace = await api.namespace(t)
    const refused = await api.post(`${namespace}/pods?dryRun=All`, { metadata: { name: 'a.b' }, spec: { containers: [] } })

    assert.deepEqual([refused.code, warningsOf(refused)], [422, []])
  })

  claim('warns of what a service says in vain, and of a certificate that does not fit its key (C20)', async (t) => {
    const namespace = await api.namespace(t)
    const post = async (plural: string, body: Json): Promise<string[]> =>
      warningsOf(await api.post(`${namespace}/${plural}?dryRun=All`, { metadata: { name: 'one' }, ...body }))

    assert.deepEqual(
      await post('services', { spec: { externalIPs: ['192.0.2.1'], trafficDistribution: 'PreferClose', externalName: 'a', ports: [{ port: 80 }] } }),
      [
        'spec.externalIPs is deprecated and may no longer be implemented in some clusters',
        'spec.externalName is ignored when spec.type is not "ExternalName"',
        'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
      ],
    )
    assert.deepEqual(await post('secrets', { type: 'kubernetes.io/tls', stringData: { 'tls.crt': '', 'tls.key': '' } }), [
      'tls: failed to find any PEM data in certificate input',
    ])
    assert.deepEqual(await post('serviceaccounts', { metadata: { name: 'one', annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } } }), [
      'metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets',
    ])
  })
})
