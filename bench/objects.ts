/**
 * A pod that is stored as about 2.9 KB of JSON: labels, a probe, limits, what admission adds, and managedFields. No scheduler answers to its name, so nobody writes to it afterwards and
 * what is measured is the API server and its storage.
 */
export function podBody(name: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: 'bench', tier: 'backend' } },
    spec: {
      schedulerName: 'nobody',
      containers: [
        {
          name: 'app',
          image: 'registry.example.com/team/application:1.2.3',
          ports: [{ name: 'http', containerPort: 8080 }],
          readinessProbe: { httpGet: { path: '/healthz', port: 8080 } },
          resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
        },
      ],
    },
  })
}

/** A pod that the default scheduler places. */
export function smallPodBody(name: string): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { app: 'bench' } }, spec: podSpec })
}

export function deploymentBody(name: string, replicas: number): string {
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { replicas, selector: { matchLabels: { app: name } }, template: { metadata: { labels: { app: name } }, spec: podSpec } },
  })
}

const podSpec = {
  containers: [{ name: 'app', image: 'registry.example.com/team/application:1.2.3', resources: { requests: { cpu: '100m', memory: '128Mi' } } }],
}

/** A ConfigMap of a few hundred bytes. */
export function configMapBody(name: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels: { app: 'bench' } },
    data: { 'settings.json': '{"level":"info","workers":4}', mode: 'on' },
  })
}

/** An event as controllers record them. */
export function eventBody(name: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'bench', name: 'object-000001', uid: '6f1f4a1e-6b0a-4d0e-9d2f-2f1f0c9b7a11' },
    type: 'Normal',
    reason: 'Measured',
    message: 'the bench records an event',
    source: { component: 'bench' },
    count: 1,
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:00Z',
  })
}

export function leaseBody(name: string): string {
  return JSON.stringify({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name },
    spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime: '2026-01-01T00:00:00.000000Z' },
  })
}

/** The heartbeat of a node; the holder differs each time, so that each is a write. */
export function heartbeatBody(holder: string): string {
  return JSON.stringify({ spec: { holderIdentity: holder } })
}

/** A ConfigMap of 20,000 keys: as many fields to manage. */
export function wideConfigMapBody(name: string): string {
  const data = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`key-${at}`, `v${at}`]))
  return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data })
}

/** A ConfigMap with one value that is nearly as long as a value can be. */
export function largeConfigMapBody(name: string): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { file: 'x'.repeat(1_000_000) } })
}

/** A definition of the size that generators make for large types. */
export function largeDefinitionBody(suffix: string): string {
  const field = {
    type: 'object',
    description: 'a field that is described in some words, as generators of definitions do',
    required: ['name'],
    properties: {
      name: { type: 'string', maxLength: 63 },
      count: { type: 'integer', format: 'int32', minimum: 0 },
      items: { type: 'array', items: { type: 'string' } },
      nested: { type: 'object', properties: { mode: { type: 'string', enum: ['on', 'off'] }, isShown: { type: 'boolean' } } },
    },
  }
  const properties = Object.fromEntries(Array.from({ length: 460 }, (_, at) => [`field${at}`, field]))
  const [plural, group] = [`wides${suffix}`, 'bench.example.com']
  return JSON.stringify({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, singular: `wide${suffix}`, kind: `Wide${suffix}` },
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } } },
      ],
    },
  })
}
