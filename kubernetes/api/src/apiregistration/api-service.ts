import {
  dns1035LabelProblems,
  dns1123SubdomainProblems,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  goQuote,
  pathSegmentProblems,
  portNumberProblems,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { formatTime } from '@gantry/apiserver'
import type { APIService } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'

const maxGroupPriority = 20_000
const maxVersionPriority = 1000
const statuses = ['True', 'False', 'Unknown']

export const apiService: BuiltinKind = {
  group: 'apiregistration.k8s.io',
  version: 'v1',
  kind: 'APIService',
  plural: 'apiservices',
  categories: ['api-extensions'],
  namespaced: false,
  takesAnyFinalizer: true,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService',
  groupPriority: 20_000,
  hasStatus: true,
  statusKeeps: 'metadata',
  validateName: pathSegmentProblems,
  columns: [
    nameCell,
    column<APIService>('Service', ({ spec }) => (spec.service === undefined ? 'Local' : `${spec.service.namespace ?? ''}/${spec.service.name ?? ''}`), {
      description: 'The Service that serves the group and version.',
    }),
    column<APIService>('Available', formatAvailable, { description: 'Whether it can be reached.' }),
    ageCell,
  ],
  applyDefaults(object) {
    const { spec } = as<APIService>(object)
    if (spec.service !== undefined) spec.service.port ??= 443
  },
  // What this server serves itself is always there.
  prepareForCreate(object, { now }) {
    if (as<APIService>(object).spec.service !== undefined) return
    object['status'] = {
      conditions: [
        { type: 'Available', status: 'True', lastTransitionTime: formatTime(now), reason: 'Local', message: 'Local APIServices are always available' },
      ],
    }
  },
  validate: (object) => validateSpec(as<APIService>(object)),
  validateStatusUpdate: (object) =>
    (as<APIService>(object).status?.conditions ?? []).flatMap(({ status }, i) =>
      statuses.includes(status) ? [] : [fieldNotSupported(`status.conditions[${i}].status`, status, statuses)],
    ),
}

function formatAvailable({ status }: APIService): string {
  const condition = (status?.conditions ?? []).find(({ type }) => type === 'Available')
  if (condition === undefined) return 'Unknown'
  return condition.status === 'True' || (condition.reason ?? '') === '' ? condition.status : `${condition.status} (${condition.reason})`
}

function validateSpec({ metadata, spec }: APIService): FieldError[] {
  const errors: FieldError[] = []
  const { group = '', version = '', service, caBundle = '', insecureSkipTLSVerify = false } = spec
  const name = metadata.name ?? ''
  const wanted = `${version}.${group}`
  if (name !== '' && pathSegmentProblems(name).length === 0 && name !== wanted) {
    errors.push(fieldInvalid('metadata.name', name, `must be \`spec.version+"."+spec.group\`: ${goQuote(wanted)}`))
  }
  if (group === '' && version !== 'v1') errors.push(fieldRequired('spec.group', 'only v1 may have an empty group and it better be legacy kube'))
  if (group !== '') for (const problem of dns1123SubdomainProblems(group)) errors.push(fieldInvalid('spec.group', group, problem))
  for (const problem of dns1035LabelProblems(version)) errors.push(fieldInvalid('spec.version', version, problem))
  if (spec.groupPriorityMinimum <= 0 || spec.groupPriorityMinimum > maxGroupPriority) {
    errors.push(fieldInvalid('spec.groupPriorityMinimum', spec.groupPriorityMinimum, `must be positive and less than ${maxGroupPriority}`))
  }
  if (spec.versionPriority <= 0 || spec.versionPriority > maxVersionPriority) {
    errors.push(fieldInvalid('spec.versionPriority', spec.versionPriority, `must be positive and less than ${maxVersionPriority}`))
  }
  if (service === undefined) {
    const bytes = Buffer.from(caBundle, 'base64').length
    if (bytes > 0) errors.push(fieldInvalid('spec.caBundle', `${bytes} bytes`, 'local APIServices may not have a caBundle'))
    if (insecureSkipTLSVerify) errors.push(fieldInvalid('spec.insecureSkipTLSVerify', true, 'local APIServices may not have insecureSkipTLSVerify'))
    return errors
  }
  for (const field of ['namespace', 'name'] as const) if ((service[field] ?? '') === '') errors.push(fieldRequired(`spec.service.${field}`))
  const port = service.port ?? 0
  const problems = portNumberProblems(port)
  if (problems.length > 0) errors.push(fieldInvalid('spec.service.port', port, `port is not valid: ${problems.join(', ')}`))
  if (insecureSkipTLSVerify && caBundle !== '') errors.push(fieldInvalid('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present'))
  return errors
}
