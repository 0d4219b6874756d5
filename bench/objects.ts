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

/** A ConfigMap of a few hundred bytes. */
export function configMapBody(name: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels: { app: 'bench' } },
    data: { 'settings.json': '{"level":"info","workers":4}', mode: 'on' },
  })
}
