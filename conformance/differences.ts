export type TargetName = 'local' | 'kubernetes'

/** A claim of a body that a target is known not to keep, with the reason. Such a claim has to fail there: one that holds again is an error here. */
export interface Difference {
  readonly target: TargetName
  readonly claim: string
  readonly because: string
}

function local(claim: string, because: string): Difference {
  return { target: 'local', claim, because }
}

export const differences: readonly Difference[] = [local('describes every field that it serves (D9)', 'the type table carries no descriptions')]

/** What the differential run finds and we know: `matches` is held against `kind way place`, then both answers, a line each. */
export const differentialDifferences: readonly { readonly matches: RegExp; readonly because: string }[] = [
  {
    matches: /: message\n.*cannot unmarshal.*\n.*cannot unmarshal|schema.*: message\n.*(?:boolean or JSON schema expected|cannot unmarshal)/,
    because:
      'the type table has no names of embedded structs and of named types (v1.PullPolicy), and of several values of a wrong type another may be told first',
  },
  { matches: /: message\n.*cannot be handled as.*\n.*cannot be handled as/, because: 'of several malformed values another is told first' },
  { matches: /text of cause FieldValueInvalid patch\n/, because: 'what a patch has made is quoted with the fields of lists in another order' },
  {
    matches: / (?:order of causes|text of cause|cause (?:missing|too many))[^]*compilation failed/,
    because: 'the syntax errors of CEL are those of another parser',
  },
  {
    matches: /^(?:Mutating|Validating)\S+ .*order of causes/,
    because: 'of expressions and of the fields beside them the errors come in the order of the fields, upstream’s by sort',
  },
  { matches: /\\u0026/, because: 'a text of a named type is quoted with Go’s escapes for HTML (the type table has no such names)' },
  {
    matches: /text of cause [^]*(?:(?:\[\]|\{\})[^]*null|null[^]*(?:\[\]|\{\}))|object at [^]*\n(?:null|\[\])\n(?:null|\[\])$/,
    because: 'an empty list or map that is left out when stored is already absent when it is validated',
  },
  {
    matches: /^(?:APIService|FlowSchema|CustomResourceDefinition) .*(?:object at (?:metadata\.managedFields|status\.conditions)|code 4\d\d and not 200)/,
    because: 'a real API server writes the conditions of these kinds by controllers of its own; here ours run without them',
  },
  {
    matches: /^(?:ResourceSlice|CSIDriver|NetworkPolicy|\w+WebhookConfiguration) .*object at metadata\.generation/,
    because: 'upstream counts where nothing but nil has become empty, and here where a gate takes it away again',
  },
  { matches: /^\S+ .*metadata.*: order of causes\n/, because: 'what upstream says of metadata twice stands elsewhere the second time' },
  { matches: /^Resource(?:Slice|Claim) .*order of causes/, because: 'what may not change is told before what is wrong' },
  { matches: /^ResourceClaim .*adminAccess/, because: 'whether a namespace allows admin access is not asked when a status is written (not yet)' },
  {
    matches: /^CustomResourceDefinition [^]*(?:boolean or JSON schema expected|items\.-|preserveUnknownFields|cause missing FieldValueInvalid patch)/,
    because: 'a list in place of a schema, and preserveUnknownFields beside defaults, are told of otherwise (not yet)',
  },
  { matches: /^DaemonSet [^]*strconv\.ParseInt/, because: 'the annotation deprecated.daemonset.template.generation counts as none when it is no number' },
  { matches: /^ControllerRevision .*text of cause FieldValueInvalid data/, because: 'data is shown with its fields in another order after a patch' },
  { matches: /: warnings\n[^]*unknown field/, because: 'upstream leaves keys of maps out of the paths of unknown fields in a strategic patch' },
  { matches: /^HorizontalPodAutoscaler\S* .*cause missing .*policies/, because: 'an empty list of policies counts as none, and gets the defaults' },
  { matches: /^DeviceClass .*metadata/, because: 'upstream does not look at generateName where there is a name' },
  { matches: /text of cause FieldValueForbidden spec[^]*@@/, because: 'of equal lines side by side another is shown as the changed one' },
  { matches: /object at metadata\.managedFields[^\n]*schedulingGroup/, because: 'a field behind a gate that is off goes before who owns it is reckoned' },
]

/** Commands of `kubectl/commands.ts` after which a person sees something else on Gantry, with the reason. */
export const kubectlDifferences: Readonly<Record<string, string>> = {}

/** What has been seen to differ from kube-apiserver 1.36 and stands in no claim yet, by area. `not yet` where nobody has decided for it. */
export const unclaimedDifferences: Readonly<Record<string, readonly string[]>> = {
  discovery: [
    'parameters that many operations of OpenAPI version 2 have are written out with each, upstream refers to them; a few references stand in an allOf of one although nothing else is said of them',
    'OpenAPI says that deleting a namespace answers with it, upstream’s that it answers with a Status (both answer with it)',
    'the index of OpenAPI version 3 is JSON with an ETag, upstream’s is text without (ours can be cached)',
    'HEAD is answered like GET everywhere; upstream refuses it for resources, /version and /openid (harmless)',
    '/livez and /readyz know the checks `ping`, `etcd` (the store), `etcd-readiness` and `shutdown`, not those of upstream’s own parts such as `log`, `informer-sync` and `poststarthook/…` (it has no such parts)',
    'no Lease apiserver-<hash> in kube-system (it would write to the disk every ten seconds for one server that has no peers)',
  ],
  'lists and watches': [
    'old states are kept for 100 000 changes or 64 MiB of them, upstream’s for five to ten minutes (memory has a limit; under heavy writes of large objects a pager has to begin anew sooner)',
  ],
  writes: [
    'a body over the limit is 413, upstream 500 once it is unpacked (413 says what is wrong)',
    'a write that takes longer than it may (34 s, or its `timeout`) is answered 504 and still ends as it ends; upstream gives it up where it can',
    'what is wrong with the syntax of YAML is said in the words of another parser',
    'a strategic patch with a number for a text of a named type is told of `string`, upstream of `v1.ServiceType` (the type table has no such names)',
    'integers beyond 2^53 in custom resources lose their last digits (the price of JSON.parse)',
  ],
  'custom resources': [
    'a scale is applied to as to built-in kinds; upstream fails on the apply, and knows no owner of the replicas (an error of its own)',
    'replicas of a wrong type are refused once; upstream adds that the scale cannot read them',
    'POST to the path of an object is 405, upstream creates it; OPTIONS is refused in other words (harmless)',
    'in the first answer for a definition `status.conditions` is empty, upstream’s is null (harmless)',
    'in a list of custom resources the fields of the envelope come in another order (harmless)',
    'types inside policies have a fixed name in messages; `any` is not checked as a type of its own (not yet)',
    'a policy that changes objects knows the schema of a new definition at once, upstream after 5 s',
  ],
  identity: [
    'redirects and distributed claims of issuers are not followed (they lead wherever an answer says)',
    'egress selectors and ABAC are refused in configuration files',
    'a token that has been verified is not kept for 10 s: revocation works at once',
    'unreachable webhooks and issuers in words of our own (not yet)',
    'expressions in authentication files have a cost limit, which upstream lacks',
  ],
  'audit and flow control': ['an apply patch in YAML at level Request is recorded without its body; upstream loses the event'],
  nodes: [
    'logs, exec, attach and ports are asked of our own node agents, in process: a kubelet that joins is not dialled (not yet), and nodes/proxy shows it no certificate; the agents serve no HTTP of their own',
    'cookies pass through a proxy in neither direction, and its pages are confined by a Content-Security-Policy (a pod must not act as the address at which it is shown)',
    'an upgrade through a proxy keeps its query, which upstream loses',
    'upgrades to another version of HTTP are not passed on to what is behind a proxy (a second request would escape authorization)',
    'pages behind a proxy keep their spelling but for the links; upstream writes every tag anew',
    'a log over a WebSocket keeps the bytes that come together with its end, which upstream loses',
    'a watch over a WebSocket needs no Origin header; upstream refuses it without (harmless)',
  ],
  controllers: [
    'EndpointSlices carry no hints for the deprecated annotation service.kubernetes.io/topology-mode (those for spec.trafficDistribution they do)',
    'no controllers of StatefulSets, DaemonSets, Jobs, autoscaling and volumes yet',
  ],
}
