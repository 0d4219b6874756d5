/** A web server behind a service: the first thing people try. `isReal` keeps it off the simulated nodes, where it would serve nothing. */
export function webManifest(isReal: boolean, { name = 'web', replicas = 2 }: { readonly name?: string; readonly replicas?: number } = {}): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      nodeSelector: { node.gantry.dev/kind: ${isReal ? 'containerd' : 'simulated'} }
      terminationGracePeriodSeconds: 2
      containers:
        - name: web
          image: web:1.0
          ports: [{ containerPort: 8080 }]
---
apiVersion: v1
kind: Service
metadata:
  name: ${name}
spec:
  selector: { app: ${name} }
  ports: [{ port: 80, targetPort: 8080 }]
`
}

/** Writes a line about twice a second, and ends at once when it is told to. */
export const tickerManifest = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ticker
spec:
  selector: { matchLabels: { app: ticker } }
  template:
    metadata: { labels: { app: ticker } }
    spec:
      nodeSelector: { node.gantry.dev/kind: containerd }
      containers:
        - name: ticker
          image: busybox:1.36
          command: ['sh', '-c', 'trap "exit 0" TERM; i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.5 & wait $!; done']
`
