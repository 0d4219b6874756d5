import { fieldForbidden, fieldNotSupported, type FieldError } from './field-error.ts'

/** What is wrong with how a watch asks for initial events (`sendInitialEvents` and `resourceVersionMatch`), in upstream's words: apimachinery pkg/apis/meta/internalversion/validation. */
export function initialEventsProblems(query: URLSearchParams): readonly FieldError[] {
  const match = query.get('resourceVersionMatch') ?? ''
  const isAsked = query.get('sendInitialEvents') !== null
  const problems: FieldError[] = []
  if (isAsked && match !== 'NotOlderThan')
    problems.push(fieldForbidden('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
  if (match === '') return problems
  if (!isAsked) problems.push(fieldForbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'))
  if (match !== 'NotOlderThan') problems.push(fieldNotSupported('resourceVersionMatch', match, ['NotOlderThan']))
  return problems
}
