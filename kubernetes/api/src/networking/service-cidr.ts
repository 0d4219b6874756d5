import { fieldInvalid, fieldIsImmutable, fieldRequired } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { ServiceCIDR } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { parseNetwork, validateNetwork } from './addresses.ts'

const path = 'spec.cidrs'

export const serviceCidr: BuiltinKind = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'ServiceCIDR',
  plural: 'servicecidrs',
  namespaced: false,
  type: 'io.k8s.api.networking.v1.ServiceCIDR',
  groupPriority: 17200,
  hasStatus: true,
  statusKeeps: 'metadata',
  allowUnconditionalUpdate: true,
  columns: [
    nameCell,
    column<ServiceCIDR>('CIDRs', ({ spec }) => (spec?.cidrs ?? []).join(','), { description: 'Networks that cluster addresses come from.' }),
    ageCell,
  ],
  validate: (object, old) => (old === undefined ? validateCidrs(cidrsOf(as<ServiceCIDR>(object))) : []),
  validateUpdate(object, old) {
    const [next, before] = [cidrsOf(as<ServiceCIDR>(object)), cidrsOf(as<ServiceCIDR>(old))]
    // A second family may be added, nothing else may change.
    const grows = before.length === 1 && next.length === 2
    if (next.length !== before.length && !grows) return [fieldInvalid(path, next, fieldIsImmutable)]
    const changed = before.flatMap((cidr, i) => (cidr === next[i] ? [] : [fieldInvalid(`${path}[${i}]`, next[i], fieldIsImmutable)]))
    return grows ? [...changed, ...validateCidrs(next)] : changed
  },
}

function cidrsOf({ spec }: ServiceCIDR): readonly string[] {
  return spec?.cidrs ?? []
}

function validateCidrs(cidrs: readonly string[]): FieldError[] {
  if (cidrs.length === 0) return [fieldRequired(path, 'at least one CIDR required')]
  if (cidrs.length > 2) return [fieldInvalid(path, { CIDRs: cidrs }, 'may only hold up to 2 values')]
  const errors = cidrs.flatMap((cidr, i) => validateNetwork(`${path}[${i}]`, cidr))
  const [first, second] = cidrs.map((cidr) => parseNetwork(cidr)?.base.length)
  if (first !== undefined && first === second) {
    errors.push(fieldInvalid(path, cidrs, 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64'))
  }
  return errors
}

/** The network that the cluster was started with, as an object. */
export function defaultServiceCidr(cidr: string): { readonly metadata: { readonly name: string }; readonly spec: { readonly cidrs: readonly string[] } } {
  return { metadata: { name: 'kubernetes' }, spec: { cidrs: [cidr] } }
}

/** Its condition: nothing has to be prepared. */
export function readyServiceCidr(now: string): { readonly conditions: readonly Record<string, string>[] } {
  return { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: now, reason: '', message: 'Kubernetes default Service CIDR is ready' }] }
}
