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
  local('stamps every answer with audit id, cache control and flow control (W2)', 'no flow control yet, so no flow schema to name'),
  local('lists the resources of /api/v1 (D4)', 'the collection of bindings is not served, only pods/binding'),
  local('binds through the collection of bindings too (S3)', 'the collection of bindings is not served, only pods/binding'),
  local('indexes its OpenAPI documents by group and version with their hash (D7)', 'no documents for the bare paths api and apis'),
  local('describes every field that it serves (D9)', 'the type table carries no descriptions'),
  local(
    'says in the stream that a resourceVersion is too old (L18)',
    'history reaches back to the first revision here; the window is held by tests of storage and apiserver',
  ),
  local('describes every column of every kind (9)', 'columns carry no descriptions'),
  local('refuses a definition that is not well formed (X1)', 'storedVersions are not checked beside the versions'),
  local('has the roles that charts and operators expect (Z6)', 'not every bootstrap role is there yet'),
]
