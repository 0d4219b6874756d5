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

/** What the differential run finds and is meant to, or cannot be helped: `matches` is held against `kind way place`, then both answers, a line each. */
export const differentialDifferences: readonly { readonly matches: RegExp; readonly because: string }[] = []

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
