import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldForbidden,
  fieldInvalid,
  fieldIsImmutable,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { IngressClass, IngressClassParametersReference } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { validateReference } from './ingress.ts'

const maxControllerBytes = 250
const isDefaultAnnotation = 'ingressclass.kubernetes.io/is-default-class'

export const ingressClass: BuiltinKind = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  namespaced: false,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.networking.v1.IngressClass',
  groupPriority: 17200,
  tracksGeneration: true,
  allowUnconditionalUpdate: true,
  columns: [
    { ...nameCell, cell: ({ metadata }) => (metadata.annotations?.[isDefaultAnnotation] === 'true' ? `${metadata.name} (default)` : metadata.name) },
    column<IngressClass>('Controller', ({ spec }) => spec?.controller ?? '', { description: 'The controller that serves its Ingresses.' }),
    column<IngressClass>('Parameters', ({ spec }) => formatParameters(spec?.parameters), { description: 'Where its controller finds more settings.' }),
    ageCell,
  ],
  applyDefaults(object) {
    const { spec } = as<IngressClass>(object)
    if (spec?.parameters !== undefined) spec.parameters.scope ??= 'Cluster'
  },
  validate(object, old) {
    const { spec = {} } = as<IngressClass>(object)
    const { controller = '' } = spec
    const errors = Buffer.byteLength(controller) > maxControllerBytes ? [fieldTooLong('spec.controller', maxControllerBytes)] : []
    const isOther = old !== undefined && controller !== (as<IngressClass>(old).spec?.controller ?? '')
    return [
      ...(isOther ? [fieldInvalid('spec.controller', controller, fieldIsImmutable)] : []),
      ...errors,
      ...validateDomainPrefixedPath(controller, 'spec.controller'),
      ...validateParameters(spec.parameters),
    ]
  },
}

function formatParameters(parameters: IngressClassParametersReference | undefined): string {
  if (parameters === undefined) return '<none>'
  return `${parameters.kind}${parameters.apiGroup === undefined ? '' : `.${parameters.apiGroup}`}/${parameters.name}`
}

/** `example.com/path`. */
function validateDomainPrefixedPath(text: string, path: string): FieldError[] {
  if (text === '') return [fieldRequired(path)]
  const slash = text.indexOf('/')
  if (slash <= 0 || slash === text.length - 1) return [fieldInvalid(path, text, 'must be a domain-prefixed path (such as "acme.io/foo")')]
  const [host, rest] = [text.slice(0, slash), text.slice(slash + 1)]
  const errors = dns1123SubdomainProblems(host).map((problem) => fieldInvalid(path, host, problem))
  if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(rest)) {
    errors.push(fieldInvalid(path, rest, "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"))
  }
  return errors
}

function validateParameters(parameters: IngressClassParametersReference | undefined): FieldError[] {
  if (parameters === undefined) return []
  const path = 'spec.parameters'
  const errors = validateReference(parameters, path)
  const { scope, namespace } = parameters
  if (scope === undefined) return [...errors, fieldRequired(`${path}.scope`)]
  if (scope === 'Namespace') {
    if (namespace === undefined) errors.push(fieldRequired(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'"))
    else errors.push(...dns1123LabelProblems(namespace).map((problem) => fieldInvalid(`${path}.namespace`, namespace, problem)))
  } else if (scope === 'Cluster') {
    if (namespace !== undefined) errors.push(fieldForbidden(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'"))
  } else errors.push(fieldNotSupported(`${path}.scope`, scope, ['Cluster', 'Namespace']))
  return errors
}
