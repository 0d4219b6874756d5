import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  goQuote,
  humanDuration,
  pathSegmentProblems,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { formatTime } from '@gantry/apiserver'
import type { CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestSpec } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { certificateProblem, certificateRequestProblem } from './certificate-request.ts'

const minSeconds = 600
const maxDomainBytes = 253
const maxSignerNameBytes = 571
const legacySigner = 'kubernetes.io/legacy-unknown'
const usages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
]

export const certificateSigningRequest: BuiltinKind = {
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  shortNames: ['csr'],
  namespaced: false,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.certificates.v1.CertificateSigningRequest',
  groupPriority: 17300,
  hasStatus: true,
  statusSubresources: ['approval'],
  resetFields: {
    '': { 'f:spec': {}, 'f:status': {} },
    status: { 'f:spec': {}, 'f:status': { 'f:conditions': {} } },
    approval: { 'f:spec': {}, 'f:status': { 'f:certificate': {} } },
  },
  allowUnconditionalUpdate: true,
  validateName: pathSegmentProblems,
  selectableFields: { 'spec.signerName': (object) => as<CertificateSigningRequest>(object).spec.signerName },
  columns: [
    nameCell,
    ageCell,
    column<CertificateSigningRequest>('SignerName', ({ spec }) => spec.signerName || '<none>', { description: 'Who is to sign it.' }),
    column<CertificateSigningRequest>('Requestor', ({ spec }) => spec.username ?? '', { description: 'Who asked for it.' }),
    column<CertificateSigningRequest>(
      'RequestedDuration',
      ({ spec }) => (spec.expirationSeconds === undefined ? '<none>' : humanDuration(spec.expirationSeconds * 1000)),
      { description: 'How long the certificate is to be good.' },
    ),
    column<CertificateSigningRequest>('Condition', formatState, { description: 'What has become of it.' }),
  ],
  // Who asks is what the server knows, whatever the body says.
  prepareForCreate(object, { user }) {
    const { spec } = as<CertificateSigningRequest>(object)
    spec.username = user.username
    spec.uid = user.uid
    spec.groups = [...user.groups]
    spec.extra = Object.fromEntries(Object.entries(user.extra ?? {}).map(([key, values]) => [key, [...values]]))
  },
  prepareForUpdate(object, old) {
    object['spec'] = old['spec']
  },
  prepareForStatusUpdate(object, old, { now, subresource }) {
    const [next, before] = [as<CertificateSigningRequest>(object), as<CertificateSigningRequest>(old)]
    const conditions = next.status?.conditions ?? []
    if (subresource === 'status') for (const type of ['Approved', 'Denied']) keepConditions(conditions, before.status?.conditions ?? [], type)
    for (const condition of conditions) {
      condition.lastUpdateTime ??= formatTime(now)
      const same = (before.status?.conditions ?? []).find(({ type, status }) => type === condition.type && status === condition.status)
      condition.lastTransitionTime ??= same?.lastTransitionTime ?? formatTime(now)
    }
    if (subresource === 'approval') next.status = { ...before.status, conditions }
  },
  validate(object, old) {
    // An update leaves the spec and the status alone.
    return old === undefined ? validateSpec(as<CertificateSigningRequest>(object).spec) : []
  },
  validateStatusUpdate: (object, old, subresource) => validateStatus(as<CertificateSigningRequest>(object), as<CertificateSigningRequest>(old), subresource),
}

function formatState({ status }: CertificateSigningRequest): string {
  const types = new Set((status?.conditions ?? []).map(({ type }) => type))
  const decision = types.has('Denied') ? 'Denied' : types.has('Approved') ? 'Approved' : 'Pending'
  return `${decision}${types.has('Failed') ? ',Failed' : ''}${(status?.certificate ?? '') === '' ? '' : ',Issued'}`
}

/** A signer's update shows decisions as they were made, whatever it says of them. */
function keepConditions(next: CertificateSigningRequestCondition[], before: readonly CertificateSigningRequestCondition[], type: string): void {
  const known = before.filter((condition) => condition.type === type)
  const given = [...next.entries()].filter(([, condition]) => condition.type === type)
  if (known.length !== given.length) return
  given.forEach(([at], i) => {
    next[at] = known[i] as CertificateSigningRequestCondition
  })
}

function validateSpec(spec: CertificateSigningRequestSpec): FieldError[] {
  const errors: FieldError[] = []
  const problem = certificateRequestProblem(Buffer.from(spec.request ?? '', 'base64').toString('latin1'))
  if (problem !== undefined) errors.push(fieldInvalid('spec.request', spec.request, problem))
  const asked = spec.usages ?? []
  if (asked.length === 0) errors.push(fieldRequired('spec.usages'))
  asked.forEach((usage, i) => {
    if (!usages.includes(usage)) errors.push(fieldNotSupported(`spec.usages[${i}]`, usage, usages))
  })
  asked.forEach((usage, i) => {
    if (asked.indexOf(usage) < i) errors.push(fieldDuplicate(`spec.usages[${i}]`, usage))
  })
  if (spec.signerName === legacySigner) errors.push(fieldInvalid('spec.signerName', legacySigner, 'the legacy signerName is not allowed via this API version'))
  else errors.push(...validateSignerName(spec.signerName, 'spec.signerName'))
  const seconds = spec.expirationSeconds
  if (seconds !== undefined && seconds < minSeconds) {
    errors.push(fieldInvalid('spec.expirationSeconds', seconds, 'may not specify a duration less than 600 seconds (10 minutes)'))
  }
  return errors
}

/** `example.com/signer`: a domain of at least two labels and a path of subdomains. */
export function validateSignerName(name: string, path: string): FieldError[] {
  if (name === '') return [fieldRequired(path)]
  const segments = name.split('/')
  if (segments.length !== 2) return [fieldInvalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")]
  const [domain = '', rest = ''] = segments
  const errors = Buffer.byteLength(domain) > maxDomainBytes ? [fieldTooLong(path, maxDomainBytes)] : []
  const firstProblems = (text: string, problemsOf: (label: string) => string[]): FieldError[] => {
    const wrong = text.split('.').find((label) => problemsOf(label).length > 0)
    return wrong === undefined ? [] : problemsOf(wrong).map((problem) => fieldInvalid(path, text, `validating label ${goQuote(wrong)}: ${problem}`))
  }
  errors.push(...firstProblems(domain, (label) => dns1123LabelProblems(label)))
  if (!domain.includes('.')) errors.push(fieldInvalid(path, domain, 'should be a domain with at least two segments separated by dots'))
  errors.push(...firstProblems(rest, (label) => dns1123SubdomainProblems(label)))
  if (Buffer.byteLength(name) > maxSignerNameBytes) errors.push(fieldTooLong(path, maxSignerNameBytes))
  return errors
}

const decisions = ['Approved', 'Denied', 'Failed']

function validateStatus(object: CertificateSigningRequest, old: CertificateSigningRequest, subresource: string): FieldError[] {
  const next = object.status?.conditions ?? []
  const before = old.status?.conditions ?? []
  const errors = validateConditions(next, before)
  const certificate = object.status?.certificate ?? ''
  const known = old.status?.certificate ?? ''
  const problem = certificate === known ? undefined : certificateProblem(Buffer.from(certificate, 'base64').toString('latin1'))
  if (problem !== undefined) errors.push(fieldInvalid('status.certificate', '<certificate data>', problem))
  const count = (conditions: readonly CertificateSigningRequestCondition[], wanted: string): number => conditions.filter(({ type }) => type === wanted).length
  for (const type of decisions) {
    if (count(next, type) < count(before, type)) errors.push(fieldForbidden('status.conditions', `updates may not remove a condition of type "${type}"`))
  }
  if (subresource !== 'approval') {
    for (const type of ['Approved', 'Denied']) {
      if (count(next, type) > count(before, type)) errors.push(fieldForbidden('status.conditions', `updates may not add a condition of type "${type}"`))
    }
  }
  if (certificate !== known) {
    if (subresource !== 'status') errors.push(fieldForbidden('status.certificate', 'updates may not set certificate content'))
    else if (known !== '') errors.push(fieldForbidden('status.certificate', 'updates may not modify existing certificate content'))
  }
  return errors
}

function validateConditions(next: readonly CertificateSigningRequestCondition[], before: readonly CertificateSigningRequestCondition[]): FieldError[] {
  const errors: FieldError[] = []
  const path = 'status.conditions'
  const typesBefore = before.map(({ type }) => type)
  const keepsBoth = typesBefore.includes('Approved') && typesBefore.includes('Denied')
  const keepsDuplicates = new Set(typesBefore).size < typesBefore.length
  const seen = new Set<string>()
  next.forEach(({ type, status }, i) => {
    if (type === '' && !typesBefore.includes('')) errors.push(fieldRequired(`${path}[${i}].type`))
    const allowed = decisions.includes(type) ? ['True'] : ['False', 'True', 'Unknown']
    if (status === '') errors.push(fieldRequired(`${path}[${i}].status`))
    else if (!allowed.includes(status)) errors.push(fieldNotSupported(`${path}[${i}].status`, status, allowed))
    const opposite = type === 'Approved' ? 'Denied' : type === 'Denied' ? 'Approved' : undefined
    if (!keepsBoth && opposite !== undefined && seen.has(opposite)) {
      errors.push(fieldInvalid(path, type, 'Approved and Denied conditions are mutually exclusive'))
    }
    if (!keepsDuplicates && seen.has(type)) errors.push(fieldDuplicate(`${path}[${i}].type`, type))
    seen.add(type)
  })
  return errors
}
