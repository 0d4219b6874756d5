import type { YamlTemplate } from '@gantry/console-kit'

/** Starting points for the editor. Each is accepted as it stands by any current cluster. */
export const templates: readonly YamlTemplate[] = [
  {
    id: 'deployment',
    title: 'workloads:template.deployment',
    yaml: `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels:
    app: web
spec:
  replicas: 2
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: web
          image: nginx:1.29
          ports:
            - containerPort: 80
          resources:
            requests:
              cpu: 50m
              memory: 64Mi
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: web
  ports:
    - port: 80
      targetPort: 80
`,
  },
  {
    id: 'pod',
    title: 'workloads:template.pod',
    yaml: `apiVersion: v1
kind: Pod
metadata:
  name: hello
spec:
  restartPolicy: Never
  containers:
    - name: hello
      image: busybox:1.37
      command: ["sh", "-c", "for i in 1 2 3 4 5; do echo hello $i; sleep 1; done"]
`,
  },
  {
    id: 'configmap',
    title: 'workloads:template.configmap',
    yaml: `apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  greeting: hello
  app.properties: |
    color=blue
    size=large
`,
  },
  {
    id: 'namespace',
    title: 'workloads:template.namespace',
    yaml: `apiVersion: v1
kind: Namespace
metadata:
  name: team-a
`,
  },
  {
    id: 'crd',
    title: 'workloads:template.crd',
    yaml: `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.com
spec:
  group: example.com
  scope: Namespaced
  names:
    plural: widgets
    singular: widget
    kind: Widget
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                size:
                  type: integer
                  minimum: 1
      additionalPrinterColumns:
        - name: Size
          type: integer
          jsonPath: .spec.size
`,
  },
]
