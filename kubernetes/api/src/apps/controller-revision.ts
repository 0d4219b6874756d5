import { fieldInvalid, fieldIsImmutable, fieldRequired } from '@gantry/apimachinery'
import type { ControllerRevision } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { notNegative } from './counts.ts'

export const controllerRevision: BuiltinKind = {
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  namespaced: true,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.apps.v1.ControllerRevision',
  groupPriority: 17800,
  allowUnconditionalUpdate: true,
  columns: [
    nameCell,
    column<ControllerRevision>('Controller', controllerOf, { description: 'What the revision is a state of.' }),
    column<ControllerRevision>('Revision', ({ revision }) => revision, { description: 'Its number.' }),
    ageCell,
  ],
  validate(object, old) {
    const { revision, data } = as<ControllerRevision>(object)
    const errors = (revision ?? 0) < 0 ? [fieldInvalid('revision', revision, notNegative)] : []
    if (old !== undefined) return errors
    if (data === undefined || data === null) errors.push(fieldRequired('data', 'data is mandatory'))
    else if (typeof data !== 'object' || Array.isArray(data)) errors.push(fieldRequired('data', 'data must be a valid JSON object'))
    return errors
  },
  validateUpdate(object, old) {
    const [{ data }, { data: before }] = [as<ControllerRevision>(object), as<ControllerRevision>(old)]
    return JSON.stringify(data) === JSON.stringify(before) ? [] : [fieldInvalid('data', data, fieldIsImmutable)]
  },
}

/** `deployment.apps/web`. */
function controllerOf({ metadata }: ControllerRevision): string {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true)
  if (owner === undefined) return '<none>'
  const slash = owner.apiVersion.indexOf('/')
  const kind = owner.kind.toLowerCase()
  return `${slash < 0 ? kind : `${kind}.${owner.apiVersion.slice(0, slash)}`}/${owner.name}`
}
