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

export const differences: readonly Difference[] = [
  local('describes every field that it serves (D9)', 'the type table carries no descriptions'),
  local('describes every column of every kind (9)', 'columns carry no descriptions'),
  local('takes an annotation for the AppArmor profile that it stands for (M7)', 'annotations of AppArmor profiles are not taken over into the fields'),
]

/** Commands of `kubectl/commands.ts` after which a person sees something else on Gantry, with the reason. */
export const kubectlDifferences: Readonly<Record<string, string>> = {
  'describe service applied -n NAMESPACE': 'no EndpointSlices yet',
  'get deployment web -o jsonpath={.status} -n NAMESPACE': 'no terminatingReplicas in the status of a Deployment',
  'get deployment web -o yaml -n NAMESPACE': 'no terminatingReplicas in the status of a Deployment',
  'get pod one -o yaml -n NAMESPACE': 'no observedGeneration in the PodScheduled condition',
}
