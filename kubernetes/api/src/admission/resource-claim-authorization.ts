import { fieldForbidden, invalidError, jsonEqual } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { forbidden, qualified } from '@gantry/apiserver'
import type { AdmissionPlugin, AdmissionRequest, ApiObject, Authorizer } from '@gantry/apiserver'
import type { UserInfo } from '@gantry/runtime'
import type {
  AllocatedDeviceStatus,
  AllocationResult,
  ResourceClaimSpec,
  ResourceClaimStatus,
  ResourceClaimTemplate,
  ResourceResourceClaim,
} from '../generated/types.ts'
import { as } from '../kind.ts'

const group = 'resource.k8s.io'
const adminLabel = 'resource.kubernetes.io/admin-access'
const nodeNameKey = 'authentication.kubernetes.io/node-name'
const accountPrefix = 'system:serviceaccount:'

/**
 * What of a claim for devices not everybody may write: access as an administrator needs a namespace that is labelled for it; who allocates and reserves needs
 * `resourceclaims/binding`, and who reports of devices `resourceclaims/driver`, by driver and node. Upstream: pkg/registry/resource/utils.go.
 */
export function resourceClaimAuthorization(deps: {
  readonly authorize: Authorizer
  readonly namespaceOf: (name: string) => ApiObject | undefined
}): AdmissionPlugin {
  const adminProblems = (namespace: string | undefined, path: string | undefined): FieldError[] =>
    path === undefined || deps.namespaceOf(namespace ?? '')?.metadata.labels?.[adminLabel] === 'true'
      ? []
      : [fieldForbidden(path, `admin access to devices requires the \`${adminLabel}: true\` label on the containing namespace`)]
  return {
    name: 'ResourceClaimAuthorization',
    async validate(request) {
      const { operation, definition, subresource, object, oldObject, namespace } = request
      if (object === undefined || definition.group !== group) return
      const what = qualified(definition)
      const errors: FieldError[] = []
      if (operation === 'CREATE' && what === 'resourceclaims.resource.k8s.io')
        errors.push(...adminProblems(namespace, requested(as<ResourceResourceClaim>(object).spec)))
      else if (operation === 'CREATE' && what === 'resourceclaimtemplates.resource.k8s.io')
        errors.push(...adminProblems(namespace, requested(as<ResourceClaimTemplate>(object).spec.spec)))
      else if (operation === 'UPDATE' && subresource === 'status' && what === 'resourceclaims.resource.k8s.io') {
        const status = as<ResourceResourceClaim>(object).status ?? {}
        const old = as<ResourceResourceClaim>(oldObject ?? object).status ?? {}
        if (granted(old.allocation) === undefined) errors.push(...adminProblems(namespace, granted(status.allocation)))
        errors.push(...(await bindingProblems(deps.authorize, request, { status, old })), ...(await driverProblems(deps.authorize, request, { status, old })))
      }
      if (errors.length > 0) throw invalidError(definition, object.metadata.name, errors)
    },
  }
}

/** The path of the first request for access as an administrator. */
function requested({ devices }: ResourceClaimSpec): string | undefined {
  const index = (devices?.requests ?? []).findIndex(({ exactly }) => exactly?.adminAccess === true)
  return index < 0 ? undefined : `spec.devices.requests[${index}].adminAccess`
}

function granted(allocation: AllocationResult | undefined): string | undefined {
  const index = (allocation?.devices?.results ?? []).findIndex(({ adminAccess }) => adminAccess === true)
  return index < 0 ? undefined : `status.allocation.devices.results[${index}].adminAccess`
}

interface Change {
  readonly status: ResourceClaimStatus
  readonly old: ResourceClaimStatus
}

async function bindingProblems(authorize: Authorizer, request: AdmissionRequest, { status, old }: Change): Promise<FieldError[]> {
  if (jsonEqual(status.allocation, old.allocation) && jsonEqual(status.reservedFor ?? [], old.reservedFor ?? [])) return []
  const verb = verbOf(request)
  const refusal = await refusalOf(authorize, request.context.user, { verb, subresource: 'binding', namespace: undefined, name: '' })
  if (refusal === undefined) return []
  const text = `changing status.allocation or status.reservedFor requires resource="resourceclaims/binding", verb="${verb}" permission: ${refusal}`
  return [fieldForbidden('status.allocation', text)]
}

async function driverProblems(authorize: Authorizer, request: AdmissionRequest, { status, old }: Change): Promise<FieldError[]> {
  // What is given back reports no more, whoever gives it back.
  if (status.allocation === undefined) return []
  const { context, namespace } = request
  const verb = verbOf(request)
  const verbs = [...(runsOn(context.user, nodeOf(status.allocation)) ? [`associated-node:${verb}`] : []), `arbitrary-node:${verb}`]
  const errors: FieldError[] = []
  for (const name of changedDrivers(status.devices ?? [], old.devices ?? [])) {
    const refusals: string[] = []
    for (const one of verbs) {
      const refusal = await refusalOf(authorize, context.user, { verb: one, subresource: 'driver', namespace, name })
      if (refusal === undefined) break
      refusals.push(refusal)
    }
    if (refusals.length < verbs.length) continue
    errors.push(
      fieldForbidden(
        'status.devices',
        `changing status.devices requires resource="resourceclaims/driver", verb="[${verbs.join(' ')}]" permission: ${refusals[0]}`,
      ),
    )
  }
  return errors
}

function verbOf({ context }: AdmissionRequest): string {
  return context.verb ?? 'update'
}

/** Undefined: he may. */
async function refusalOf(
  authorize: Authorizer,
  user: UserInfo,
  ask: { readonly verb: string; readonly subresource: string; readonly namespace: string | undefined; readonly name: string },
): Promise<string | undefined> {
  const attributes = { ...ask, isResource: true, path: '', group, version: 'v1', resource: 'resourceclaims' }
  const { allowed, reason } = await authorize({ ...attributes, user })
  return allowed ? undefined : forbidden(attributes, user.username, reason).message
}

/** The drivers of entries that were added, changed or taken away, sorted. */
function changedDrivers(devices: readonly AllocatedDeviceStatus[], old: readonly AllocatedDeviceStatus[]): string[] {
  const idOf = ({ driver, pool, device, shareID = '' }: AllocatedDeviceStatus): string => [driver, pool, device, shareID].join('/')
  const before = new Map(old.map((entry) => [idOf(entry), entry]))
  const drivers = new Set<string>()
  for (const entry of devices) {
    const known = before.get(idOf(entry))
    before.delete(idOf(entry))
    if (known === undefined || !jsonEqual(known, entry)) drivers.add(entry.driver)
  }
  for (const { driver } of before.values()) drivers.add(driver)
  return [...drivers].sort()
}

/** The one node that devices were allocated on. */
function nodeOf({ nodeSelector }: AllocationResult): string | undefined {
  const terms = nodeSelector?.nodeSelectorTerms ?? []
  const [{ matchExpressions = [], matchFields = [] } = {}] = terms
  const [field] = matchFields
  if (terms.length !== 1 || matchExpressions.length > 0 || matchFields.length !== 1) return undefined
  return field?.key === 'metadata.name' && field.operator === 'In' && field.values?.length === 1 ? field.values[0] : undefined
}

/** A service account whose token is bound to a pod on the node. */
function runsOn({ username, extra }: UserInfo, node: string | undefined): boolean {
  const names = extra?.[nodeNameKey] ?? []
  return node !== undefined && username.startsWith(accountPrefix) && names.length === 1 && names[0] === node
}
