/** One command of the story that is told to both clusters; NAMESPACE stands for the namespace of the run. */
export interface Command {
  readonly line: string
  /** Standard input, for `-f -`. */
  readonly input?: string
  /** Asked again until the output matches, for what controllers do in their own time. */
  readonly until?: RegExp
  /** Only these lines are compared, for commands that list everything a cluster has. */
  readonly only?: RegExp
}

const deployment = (replicas: number, image: string): string => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: app
          image: ${image}
          ports: [{containerPort: 80, name: http}]
          env: [{name: MODE, value: "on"}]
          resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
          readinessProbe: {httpGet: {path: /, port: http}}
`

const applied = (value: string): string => `apiVersion: v1
kind: ConfigMap
metadata: {name: applied, labels: {kind: applied}}
data: {key: "${value}"}
---
apiVersion: v1
kind: Service
metadata: {name: applied, labels: {kind: applied}}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
`

const widgets = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.kubectl.example.com}
spec:
  group: kubectl.example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd]}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
      schema:
        openAPIV3Schema:
          type: object
          description: A widget of a size.
          properties:
            spec:
              type: object
              required: [size]
              properties: {size: {type: integer, minimum: 1, description: How big it is.}}
`

const widget = (size: string): string => `apiVersion: kubectl.example.com/v1
kind: Widget
metadata: {name: first}
spec: {size: ${size}}
`

const said = `apiVersion: v1
kind: Event
metadata: {name: said}
involvedObject: {apiVersion: v1, kind: ConfigMap, name: motto, namespace: NAMESPACE}
type: Normal
reason: Said
message: It was said.
count: 2
firstTimestamp: "2020-01-01T00:00:00Z"
lastTimestamp: "2020-01-02T00:00:00Z"
source: {component: story}
`

const reader = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get]}]
`

const served =
  /^(NAME|bindings|configmaps|events|namespaces|nodes|pods|secrets|serviceaccounts|services|deployments|replicasets|leases|customresourcedefinitions|roles|rolebindings|clusterroles|clusterrolebindings|tokenreviews|selfsubjectreviews|localsubjectaccessreviews|selfsubjectaccessreviews|selfsubjectrulesreviews|subjectaccessreviews|exit)\b/

export const commands: readonly Command[] = [
  // What there is.
  { line: 'version', only: /^(Server Version|exit)/ },
  {
    line: 'api-versions',
    only: /^(apiextensions\.k8s\.io\/v1|apps\/v1|authentication\.k8s\.io\/v1|authorization\.k8s\.io\/v1|coordination\.k8s\.io\/v1|rbac\.authorization\.k8s\.io\/v1|v1|exit.*)$/,
  },
  { line: 'api-resources --no-headers=false', only: served },
  { line: 'cluster-info', only: /^(Kubernetes control plane|.*control plane|exit)/ },
  { line: 'get --raw /healthz' },
  { line: 'get namespaces', only: /^(NAME|default|kube-|exit)/ },
  { line: 'get namespace default -o yaml' },
  { line: 'auth whoami -o jsonpath={.kind}' },
  { line: 'auth can-i create pods' },
  { line: 'auth can-i list pods --as jane' },
  { line: 'explain configmap', only: /^(KIND|VERSION|FIELDS|  \S|exit)/ },
  { line: 'explain deployment.spec.strategy', only: /^(GROUP|KIND|VERSION|FIELD|FIELDS|  \S|exit)/ },
  { line: 'explain pod.spec.nothing' },

  // Small objects.
  { line: 'create configmap settings --from-literal=level=info --from-literal=mode=on -n NAMESPACE' },
  { line: 'create configmap settings -n NAMESPACE' },
  { line: 'get configmap settings -o yaml -n NAMESPACE' },
  { line: 'get configmap settings -o json --show-managed-fields -n NAMESPACE' },
  { line: 'get cm -n NAMESPACE', only: /^(NAME|settings|exit)/ },
  { line: 'create configmap motto --from-literal=text=hello -n NAMESPACE' },
  // kubectl describes the keys of a ConfigMap in the order of a Go map: any order.
  { line: 'describe configmap motto -n NAMESPACE' },
  { line: 'get configmap motto -w --output-watch-events --request-timeout=1s -n NAMESPACE' },
  { line: 'create -f - -n NAMESPACE', input: said },
  { line: 'events --for configmap/motto -n NAMESPACE' },
  { line: 'events --for configmap/nothing -n NAMESPACE' },
  { line: 'create secret generic login --from-literal=password=s3cret -n NAMESPACE' },
  { line: 'get secret login -o jsonpath={.data.password} -n NAMESPACE' },
  { line: 'describe secret login -n NAMESPACE' },
  { line: 'create serviceaccount robot -n NAMESPACE' },
  { line: 'get serviceaccounts -n NAMESPACE' },
  { line: 'create role reader --verb=get,list --resource=configmaps,deployments.apps -n NAMESPACE' },
  { line: 'create rolebinding reader --role=reader --serviceaccount=NAMESPACE:robot -n NAMESPACE' },
  { line: 'describe role reader -n NAMESPACE' },
  { line: 'auth reconcile -f - -n NAMESPACE', input: reader },
  { line: 'auth reconcile -f - -n NAMESPACE', input: reader },
  { line: 'get role reader -o jsonpath={.rules} -n NAMESPACE' },
  { line: 'auth can-i --list -n NAMESPACE --as jane', only: /^(Resources|selfsubjectreviews|exit)/ },
  { line: 'describe rolebinding reader -n NAMESPACE' },
  { line: 'get rolebindings -o wide -n NAMESPACE' },
  { line: 'auth can-i list configmaps --as system:serviceaccount:NAMESPACE:robot -n NAMESPACE', until: /^yes/ },
  { line: 'auth can-i delete configmaps --as system:serviceaccount:NAMESPACE:robot -n NAMESPACE' },
  { line: 'get pods --as system:serviceaccount:NAMESPACE:robot -n NAMESPACE' },

  // Labels, annotations, patches.
  { line: 'label configmap settings team=blue -n NAMESPACE' },
  { line: 'label configmap settings team=green -n NAMESPACE' },
  { line: 'label configmap settings team=green --overwrite -n NAMESPACE' },
  { line: 'get configmap -l team=green --show-labels -n NAMESPACE' },
  { line: 'get configmap -l team in -n NAMESPACE' },
  { line: 'annotate configmap settings note=kept -n NAMESPACE' },
  { line: 'patch configmap settings --type merge -p {"data":{"mode":"off"}} -n NAMESPACE' },
  { line: 'patch configmap settings --type merge -p {"data":{"mode":"off"}} -n NAMESPACE' },
  { line: 'patch configmap settings --type json -p [{"op":"remove","path":"/data/mode"}] -n NAMESPACE' },
  { line: 'patch configmap settings --type json -p [{"op":"remove","path":"/data/none"}] -n NAMESPACE' },
  { line: 'get configmap settings -o jsonpath={.data} -n NAMESPACE' },
  { line: 'get configmap -o custom-columns=NAME:.metadata.name,KEYS:.data --field-selector metadata.name=settings -n NAMESPACE' },
  { line: 'get configmap --field-selector spec.nothing=1 -n NAMESPACE' },

  // Apply on the client side.
  { line: 'apply -f - -n NAMESPACE', input: applied('1') },
  { line: 'apply -f - -n NAMESPACE', input: applied('1') },
  { line: 'diff -f - -n NAMESPACE', input: applied('1') },
  { line: 'apply -f - --dry-run=server -n NAMESPACE', input: applied('2') },
  { line: 'apply -f - -n NAMESPACE', input: applied('2') },
  { line: 'get configmap,service -l kind=applied -n NAMESPACE' },
  { line: 'describe service applied -n NAMESPACE' },
  { line: 'get service applied -o yaml -n NAMESPACE' },

  // Apply on the server side.
  { line: 'apply --server-side -f - -n NAMESPACE', input: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: owned}\ndata: {key: "1"}\n' },
  {
    line: 'apply --server-side --field-manager other -f - -n NAMESPACE',
    input: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: owned}\ndata: {key: "2"}\n',
  },
  {
    line: 'apply --server-side --field-manager other --force-conflicts -f - -n NAMESPACE',
    input: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: owned}\ndata: {key: "2"}\n',
  },
  { line: 'get configmap owned -o yaml --show-managed-fields -n NAMESPACE' },
  { line: 'apply --server-side -f - -n NAMESPACE', input: applied('2') },

  // Mistakes.
  { line: 'create -f - -n NAMESPACE', input: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: typo}\ndta: {}\n' },
  {
    line: 'create -f - -n NAMESPACE',
    input:
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: wrong}\nspec: {replicas: -1, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: c}}, spec: {containers: []}}}\n',
  },
  { line: 'create -f - -n NAMESPACE', input: 'apiVersion: nothing.example.com/v1\nkind: Thing\nmetadata: {name: a}\n' },
  {
    line: 'create -f - -n NAMESPACE',
    input: 'apiVersion: v1\nkind: Pod\nmetadata: {name: nobody}\nspec: {serviceAccountName: nobody, containers: [{name: c, image: i}]}\n',
  },
  { line: 'get pod nothing -n NAMESPACE' },
  { line: 'get things -n NAMESPACE' },
  { line: 'delete configmap nothing -n NAMESPACE' },
  { line: 'delete configmap nothing --ignore-not-found -n NAMESPACE' },
  { line: 'create configmap Bad_Name -n NAMESPACE' },
  { line: 'get pods -n no-such-namespace' },
  { line: 'create configmap a -n no-such-namespace' },

  // A deployment, whose pods wait for a node that never comes.
  { line: 'create -f - -n NAMESPACE', input: deployment(2, 'registry.example.com/app:1') },
  { line: 'get deployment web -o wide -n NAMESPACE', until: /web +0\/2 +2 +0/ },
  { line: 'get replicasets -o wide -n NAMESPACE', until: / 2 +2 +0/ },
  {
    line: 'get pods -o custom-columns=NAME:.metadata.name,PHASE:.status.phase,OWNER:.metadata.ownerReferences[0].kind -n NAMESPACE',
    until: /(Pending.*\n?){2}/s,
  },
  { line: 'get pods -n NAMESPACE' },
  { line: 'get pods -o jsonpath={.items[0].status.conditions[?(@.type=="PodScheduled")].reason} -n NAMESPACE', until: /Unschedulable/ },
  { line: 'get deployment web -o jsonpath={.status} -n NAMESPACE', until: /observedGeneration/ },
  { line: 'get deployment web -o yaml -n NAMESPACE', until: /reason: MinimumReplicasUnavailable/ },
  { line: 'describe deployment web -n NAMESPACE', until: /ScalingReplicaSet/ },
  { line: 'describe pods -l app=web -n NAMESPACE', until: /FailedScheduling/ },
  { line: 'rollout history deployment web -n NAMESPACE' },
  { line: 'rollout status deployment web --timeout=1s -n NAMESPACE' },
  { line: 'scale deployment web --replicas=1 -n NAMESPACE' },
  { line: 'scale deployment web --replicas=3 --current-replicas=7 -n NAMESPACE' },
  { line: 'get deployment web -n NAMESPACE', until: /web +0\/1 +1 +0/ },
  { line: 'get deployment web --subresource=scale -o jsonpath={.spec.replicas}/{.status.replicas}/{.status.selector} -n NAMESPACE' },
  { line: 'set image deployment/web app=registry.example.com/app:2 -n NAMESPACE' },
  { line: 'set image deployment/web nothing=registry.example.com/app:2 -n NAMESPACE' },
  { line: 'set env deployment/web MODE=off -n NAMESPACE' },
  { line: 'rollout pause deployment web -n NAMESPACE' },
  { line: 'rollout pause deployment web -n NAMESPACE' },
  { line: 'rollout resume deployment web -n NAMESPACE' },
  { line: 'rollout history deployment web -n NAMESPACE', until: /\n3 /s },
  { line: 'rollout undo deployment web --to-revision=1 -n NAMESPACE' },
  { line: 'rollout history deployment web -n NAMESPACE', until: /\n4 /s },
  { line: 'rollout restart deployment web -n NAMESPACE' },
  { line: 'wait deployment web --for=condition=Available --timeout=1s -n NAMESPACE' },
  { line: 'wait deployment web --for=jsonpath={.spec.replicas}=1 --timeout=10s -n NAMESPACE' },
  { line: 'expose deployment web --port=80 --target-port=http -n NAMESPACE' },
  { line: 'get services -o wide -n NAMESPACE' },
  { line: 'autoscale deployment web --min=1 --max=3 --cpu-percent=80 -n NAMESPACE' },
  { line: 'get hpa web -o jsonpath={.spec} -n NAMESPACE' },
  { line: 'delete hpa web -n NAMESPACE' },
  { line: 'top pods -n NAMESPACE' },
  { line: 'logs deployment/web -n NAMESPACE', only: /^(exit|error|Error)/ },
  { line: 'get all -n NAMESPACE', only: /^(NAME|service|deployment|exit)/ },
  { line: 'delete deployment web -n NAMESPACE' },
  { line: 'get replicasets,pods -n NAMESPACE', until: /No resources/ },

  // A pod of one's own.
  { line: 'run one --image=registry.example.com/app:1 --restart=Never -n NAMESPACE' },
  { line: 'run two --image=registry.example.com/app:1 --dry-run=server -o yaml -n NAMESPACE' },
  { line: 'get pod one -o yaml -n NAMESPACE', until: /Unschedulable/ },
  { line: 'exec one -n NAMESPACE -- true' },
  { line: 'attach one -n NAMESPACE', only: /^(exit|error|Error)/ },
  { line: 'cp one:/a /nowhere/a -n NAMESPACE', only: /^(exit|error|Error)/ },
  { line: 'port-forward pod/one :80 -n NAMESPACE' },
  { line: 'debug one --image=registry.example.com/debug:1 --container=debugger --attach=false --profile=general -n NAMESPACE' },
  { line: 'get pod one -o jsonpath={.spec.ephemeralContainers} -n NAMESPACE' },
  { line: 'delete pod one --now -n NAMESPACE' },
  { line: 'get pod one -n NAMESPACE' },

  // Nodes.
  { line: 'create -f -', input: 'apiVersion: v1\nkind: Node\nmetadata: {name: NAMESPACE-node, labels: {node-role.kubernetes.io/worker: ""}}\n' },
  { line: 'get node NAMESPACE-node' },
  { line: 'cordon NAMESPACE-node' },
  { line: 'taint node NAMESPACE-node key=value:NoSchedule' },
  { line: 'get node NAMESPACE-node -o jsonpath={.spec.unschedulable}{.spec.taints[?(@.key=="key")].effect}' },
  { line: 'uncordon NAMESPACE-node' },
  { line: 'drain NAMESPACE-node' },
  { line: 'delete node NAMESPACE-node' },

  // A kind of one's own.
  { line: 'apply -f -', input: widgets },
  { line: 'wait crd/widgets.kubectl.example.com --for=condition=Established --timeout=10s' },
  { line: 'apply -f - -n NAMESPACE', input: widget('3') },
  { line: 'apply -f - -n NAMESPACE', input: widget('4') },
  { line: 'apply -f - -n NAMESPACE', input: widget('0') },
  { line: 'apply -f - -n NAMESPACE', input: widget('big') },
  { line: 'get wd -n NAMESPACE' },
  { line: 'get widget first -o yaml -n NAMESPACE' },
  { line: 'explain widget.spec.size', until: /How big/ },
  { line: 'patch widget first --subresource=status --type merge -p {"status":{"x":1}} -n NAMESPACE' },
  { line: 'delete widget first -n NAMESPACE' },
  { line: 'delete crd widgets.kubectl.example.com' },

  // The end.
  { line: 'create token robot -n NAMESPACE --duration=1m' },
  {
    line: 'get events -n NAMESPACE --field-selector reason=ScalingReplicaSet -o custom-columns=KIND:.involvedObject.kind,NAME:.involvedObject.name,TYPE:.type',
    only: /^(KIND|exit)/,
  },
  { line: 'replace -f - -n NAMESPACE', input: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: owned}\ndata: {only: this}\n' },
  { line: 'get configmap owned -o jsonpath={.data} -n NAMESPACE' },
  { line: 'delete configmap,service -l kind=applied -n NAMESPACE' },
  { line: 'delete configmap settings owned --wait=false -n NAMESPACE' },
  { line: 'delete namespace NAMESPACE' },
  { line: 'get namespace NAMESPACE' },
]
