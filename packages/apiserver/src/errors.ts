import { StatusError } from '@gantry/apimachinery'
import type { RequestInfo } from '@gantry/apimachinery'
import type { AdmissionRequest } from './admission.ts'
import type { ResourceDefinition } from './resource.ts'

type Named = Pick<ResourceDefinition, 'group' | 'plural'>

/** `deployments.apps`: how messages name a resource. */
export function qualified(definition: Named): string {
  return definition.group === '' ? definition.plural : `${definition.plural}.${definition.group}`
}

function details(definition: Named, name: string): { name: string; group?: string; kind: string } {
  return { ...(name === '' ? {} : { name }), ...(definition.group === '' ? {} : { group: definition.group }), kind: definition.plural } as {
    name: string
    group?: string
    kind: string
  }
}

export function notFound(definition: Named, name: string): StatusError {
  return new StatusError('NotFound', `${qualified(definition)} ${JSON.stringify(name)} not found`, { details: details(definition, name) })
}

export function alreadyExists(definition: Named, name: string, terminating: boolean): StatusError {
  const prefix = terminating ? 'object is being deleted: ' : ''
  return new StatusError('AlreadyExists', `${prefix}${qualified(definition)} ${JSON.stringify(name)} already exists`, { details: details(definition, name) })
}

export function modified(definition: Named, name: string): StatusError {
  return new StatusError(
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(definition)} ${JSON.stringify(name)}: the object has been modified; please apply your changes to the latest version and try again`,
    { details: details(definition, name) },
  )
}

export function preconditionFailed(
  definition: ResourceDefinition,
  name: string,
  what: { readonly field: 'UID' | 'ResourceVersion'; readonly asked: string; readonly found: string },
): StatusError {
  return new StatusError(
    'Conflict',
    `Operation cannot be fulfilled on ${definition.kind}${definition.group === '' ? '' : `.${definition.group}`} ${JSON.stringify(name)}: the ${what.field} in the precondition (${what.asked}) does not match the ${what.field} in record (${what.found}). The object might have been ${what.field === 'UID' ? 'deleted and then recreated' : 'modified'}`,
    { details: { name, ...(definition.group === '' ? {} : { group: definition.group }), kind: definition.kind } },
  )
}

type Asked = Pick<RequestInfo, 'isResource' | 'verb' | 'path' | 'group' | 'resource' | 'subresource' | 'namespace' | 'name'>

export function forbidden(info: Asked, username: string, reason: string): StatusError {
  const why = reason === '' ? '' : `: ${reason}`
  if (!info.isResource)
    return new StatusError('Forbidden', `forbidden: User ${JSON.stringify(username)} cannot ${info.verb} path ${JSON.stringify(info.path)}${why}`, {
      details: {},
    })
  const resource = info.subresource === '' ? info.resource : `${info.resource}/${info.subresource}`
  const subject =
    info.name === ''
      ? `${info.resource}${info.group === '' ? '' : `.${info.group}`}`
      : `${info.resource}${info.group === '' ? '' : `.${info.group}`} ${JSON.stringify(info.name)}`
  const where = info.namespace === undefined ? 'at the cluster scope' : `in the namespace ${JSON.stringify(info.namespace)}`
  return new StatusError(
    'Forbidden',
    `${subject} is forbidden: User ${JSON.stringify(username)} cannot ${info.verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(info.group)} ${where}${why}`,
    { details: { ...(info.name === '' ? {} : { name: info.name }), ...(info.group === '' ? {} : { group: info.group }), kind: info.resource } },
  )
}

/** Admission's refusal: `pods "x" is forbidden: <text>`. */
export function refused(
  definition: Named,
  name: string,
  text: string,
  causes?: readonly { readonly reason: string; readonly message: string; readonly field: string }[],
): StatusError {
  return new StatusError('Forbidden', `${qualified(definition)} ${JSON.stringify(name)} is forbidden: ${text}`, {
    details: { ...details(definition, name), ...(causes === undefined ? {} : { causes }) },
  })
}

/** A plug-in's refusal of a request. An object that has no name yet is called by the prefix of the name that it is going to get. */
export function refusal(
  request: Pick<AdmissionRequest, 'definition' | 'name' | 'object'>,
  text: string,
  causes?: readonly { readonly reason: string; readonly message: string; readonly field: string }[],
): StatusError {
  const { name, generateName } = request.object?.metadata ?? {}
  return refused(request.definition, request.name || name || generateName || 'Unknown', text, causes)
}

export function methodNotAllowed(): StatusError {
  return new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource', { details: {} })
}
