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

/** Commands of `kubectl/commands.ts` after which a person sees something else on Gantry, with the reason. */
export const kubectlDifferences: Readonly<Record<string, string>> = {}
