import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  pathSegmentProblems,
  portNameProblems,
  portNumberProblems,
  wildcardSubdomainProblems,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { HTTPIngressPath, Ingress, IngressBackend, IngressRule, IngressSpec, IngressTLS, TypedLocalObjectReference } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { addressWarnings, parseAddress, validateLegacyAddress } from './addresses.ts'

const classAnnotation = 'kubernetes.io/ingress.class'

export const ingress: BuiltinKind = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  shortNames: ['ing'],
  namespaced: true,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.networking.v1.Ingress',
  groupPriority: 17200,
  hasStatus: true,
  tracksGeneration: true,
  allowUnconditionalUpdate: true,
  columns: [
    nameCell,
    column<Ingress>('Class', ({ spec }) => spec?.ingressClassName ?? '<none>', { description: 'The IngressClass that is to serve it.' }),
    column<Ingress>('Hosts', ({ spec }) => formatHosts(spec?.rules ?? []), { description: 'Hosts of the rules.' }),
    column<Ingress>('Address', formatLoadBalancer, { description: 'Where it is reached.' }),
    column<Ingress>('Ports', ({ spec }) => ((spec?.tls ?? []).length > 0 ? '80, 443' : '80'), { description: 'Ports it listens on.' }),
    ageCell,
  ],
  prepareForCreate(object) {
    object['status'] = { loadBalancer: {} }
  },
  warnings(object, old) {
    const { metadata, spec } = as<Ingress>(object)
    if (old !== undefined || metadata.annotations?.[classAnnotation] === undefined || spec?.ingressClassName !== undefined) return []
    return [`annotation "${classAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`]
  },
  statusWarnings: (object) =>
    (as<Ingress>(object).status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '' }, i) =>
      ip === '' ? [] : addressWarnings(`status.loadBalancer.ingress[${i}]`, ip),
    ),
  validate(object, old) {
    const { metadata, spec = {} } = as<Ingress>(object)
    const before = old === undefined ? undefined : as<Ingress>(old).spec
    const errors = validateSpec(spec, before)
    const annotation = metadata.annotations?.[classAnnotation]
    if (old === undefined && annotation !== undefined && spec.ingressClassName !== undefined && annotation !== spec.ingressClassName) {
      errors.push(fieldInvalid(`annotations.${classAnnotation}`, annotation, 'must match `ingressClassName` when both are specified'))
    }
    return errors
  },
  validateStatusUpdate(object, old) {
    const known = new Set((as<Ingress>(old).status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip))
    return (as<Ingress>(object).status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '', hostname = '' }, i) => {
      const path = `status.loadBalancer.ingress[${i}]`
      const errors = ip === '' || known.has(ip) ? [] : validateLegacyAddress(`${path}.ip`, ip)
      if (hostname === '') return errors
      for (const problem of dns1123SubdomainProblems(hostname)) errors.push(fieldInvalid(`${path}.hostname`, hostname, problem))
      if (parseAddress(hostname) !== undefined) errors.push(fieldInvalid(`${path}.hostname`, hostname, 'must be a DNS name, not an IP address'))
      return errors
    })
  },
}

function validateSpec(spec: IngressSpec, before: IngressSpec | undefined): FieldError[] {
  const errors: FieldError[] = []
  const rules = spec.rules ?? []
  if (rules.length === 0 && spec.defaultBackend === undefined) {
    errors.push(fieldInvalid('spec', spec.rules ?? null, 'either `defaultBackend` or `rules` must be specified'))
  }
  if (spec.defaultBackend !== undefined) errors.push(...validateBackend(spec.defaultBackend, 'spec.defaultBackend'))
  // What a wildcard host or a secret name was allowed to be before may stay.
  const keepsWildcards = (before?.rules ?? []).some((rule) => (rule.host ?? '').includes('*') && validatePaths(rule, '').length > 0)
  rules.forEach((rule, i) => {
    const path = `spec.rules[${i}]`
    errors.push(...validateHost(rule.host ?? '', `${path}.host`))
    if (!(rule.host ?? '').includes('*') || !keepsWildcards) errors.push(...validatePaths(rule, path))
  })
  const keepsSecretNames = (before?.tls ?? []).some(({ secretName = '' }) => secretName !== '' && dns1123SubdomainProblems(secretName).length > 0)
  ;(spec.tls ?? []).forEach((tls, i) => errors.push(...validateTls(tls, `spec.tls[${i}]`, keepsSecretNames)))
  if (spec.ingressClassName !== undefined) {
    for (const problem of dns1123SubdomainProblems(spec.ingressClassName)) errors.push(fieldInvalid('spec.ingressClassName', spec.ingressClassName, problem))
  }
  return errors
}

function validateHost(host: string, path: string): FieldError[] {
  if (host === '') return []
  const errors = parseAddress(host) === undefined ? [] : [fieldInvalid(path, host, 'must be a DNS name, not an IP address')]
  return [...errors, ...hostProblems(host).map((problem) => fieldInvalid(path, host, problem))]
}

function hostProblems(host: string): string[] {
  return host.includes('*') ? wildcardSubdomainProblems(host) : dns1123SubdomainProblems(host)
}

function validateTls(tls: IngressTLS, path: string, keepsSecretNames: boolean): FieldError[] {
  const errors = (tls.hosts ?? []).flatMap((host, i) => hostProblems(host).map((problem) => fieldInvalid(`${path}.hosts[${i}]`, host, problem)))
  const { secretName = '' } = tls
  if (secretName === '' || keepsSecretNames) return errors
  return [...errors, ...dns1123SubdomainProblems(secretName).map((problem) => fieldInvalid(`${path}.secretName`, secretName, problem))]
}

function validatePaths(rule: IngressRule, path: string): FieldError[] {
  if (rule.http === undefined) return []
  const paths = rule.http.paths ?? []
  if (paths.length === 0) return [fieldRequired(`${path}.http.paths`)]
  return paths.flatMap((given, i) => validatePath(given, `${path}.http.paths[${i}]`))
}

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix']

function validatePath(given: HTTPIngressPath, path: string): FieldError[] {
  const { pathType, path: text = '' } = given as { pathType: string | null; path?: string }
  if (pathType === null) return [fieldRequired(`${path}.pathType`, 'pathType must be specified')]
  const errors: FieldError[] = []
  const problem = (detail: string): void => void errors.push(fieldInvalid(`${path}.path`, text, detail))
  if (pathType === 'Exact' || pathType === 'Prefix') {
    if (!text.startsWith('/')) problem('must be an absolute path')
    for (const part of ['//', '/./', '/../', '%2f', '%2F']) if (text.includes(part)) problem(`must not contain '${part}'`)
    for (const end of ['/..', '/.']) if (text.endsWith(end)) problem(`cannot end with '${end}'`)
  } else if (pathType === 'ImplementationSpecific') {
    if (text !== '' && !text.startsWith('/')) problem('must be an absolute path')
  } else errors.push(fieldNotSupported(`${path}.pathType`, pathType, pathTypes))
  return [...errors, ...validateBackend(given.backend ?? {}, `${path}.backend`)]
}

function validateBackend({ resource, service }: IngressBackend, path: string): FieldError[] {
  if (resource !== undefined && service !== undefined) return [fieldInvalid(path, '', 'cannot set both resource and service backends')]
  if (resource !== undefined) return validateReference(resource, `${path}.resource`)
  if (service === undefined) return [fieldInvalid(path, '', 'resource or service backend is required')]
  const errors =
    service.name === ''
      ? [fieldRequired(`${path}.service.name`)]
      : dns1123LabelProblems(service.name).map((problem) => fieldInvalid(`${path}.service.name`, service.name, problem))
  const { name = '', number = 0 } = service.port ?? {}
  if (name !== '' && number !== 0) errors.push(fieldInvalid(path, '', 'cannot set both port name & port number'))
  else if (name !== '') errors.push(...portNameProblems(name).map((problem) => fieldInvalid(`${path}.service.port.name`, name, problem)))
  else if (number !== 0) errors.push(...portNumberProblems(number).map((problem) => fieldInvalid(`${path}.service.port.number`, number, problem)))
  else errors.push(fieldRequired(path, 'port name or number is required'))
  return errors
}

/** A reference to an object of the same namespace; upstream asks for a kind and a name that can stand in a path. */
export function validateReference(reference: Pick<TypedLocalObjectReference, 'apiGroup' | 'kind' | 'name'>, path: string): FieldError[] {
  const errors: FieldError[] = []
  const { apiGroup } = reference
  if (apiGroup !== undefined && apiGroup !== null)
    for (const problem of dns1123SubdomainProblems(apiGroup)) errors.push(fieldInvalid(`${path}.apiGroup`, apiGroup, problem))
  for (const field of ['kind', 'name'] as const) errors.push(...validateSegment(reference[field], `${path}.${field}`))
  return errors
}

/** A required text that can stand in a path. */
export function validateSegment(value: string | undefined, path: string): FieldError[] {
  if (value === undefined || value === '') return [fieldRequired(path)]
  return pathSegmentProblems(value).map((problem) => fieldInvalid(path, value, problem))
}

const maxHosts = 3

function formatHosts(rules: readonly IngressRule[]): string {
  const hosts: string[] = []
  let more = false
  for (const { host = '' } of rules) {
    if (hosts.length === maxHosts) more = true
    else if (host !== '') hosts.push(host)
  }
  if (hosts.length === 0) return '*'
  return more ? `${hosts.join(',')} + ${rules.length - maxHosts} more...` : hosts.join(',')
}

function formatLoadBalancer({ status }: Ingress): string {
  const shown = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '').filter((text) => text !== '')
  return [...new Set(shown)].sort().join(',')
}
