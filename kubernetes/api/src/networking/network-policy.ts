import {
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  formatLabelSelectorObject,
  portNameProblems,
  portNumberProblems,
  validateLabelSelector,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { networkContains, networkWarnings, parseNetwork, validateLegacyNetwork } from './addresses.ts'

const protocols = ['TCP', 'UDP', 'SCTP']
const policyTypes = ['Ingress', 'Egress']

export const networkPolicy: BuiltinKind = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  shortNames: ['netpol'],
  namespaced: true,
  type: 'io.k8s.api.networking.v1.NetworkPolicy',
  groupPriority: 17200,
  tracksGeneration: true,
  allowUnconditionalUpdate: true,
  columns: [
    nameCell,
    column<NetworkPolicy>('Pod-Selector', ({ spec }) => formatLabelSelectorObject(spec?.podSelector), { description: 'The pods it is for.' }),
    ageCell,
  ],
  applyDefaults(object) {
    const { spec } = as<NetworkPolicy>(object)
    if (spec === undefined) return
    if ((spec.policyTypes ?? []).length === 0) spec.policyTypes = (spec.egress ?? []).length === 0 ? ['Ingress'] : ['Ingress', 'Egress']
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) for (const port of rule.ports ?? []) port.protocol ??= 'TCP'
  },
  warnings: (object) => warningsOf(as<NetworkPolicy>(object)),
  validate(object, old) {
    const { spec = {} } = as<NetworkPolicy>(object)
    const known = new Set(old === undefined ? [] : peersOf(as<NetworkPolicy>(old)).flatMap(({ peer }) => networksOf(peer.ipBlock)))
    const errors = validateLabelSelector(spec.podSelector, 'spec.podSelector')
    for (const [direction, rules] of [
      ['ingress', spec.ingress ?? []],
      ['egress', spec.egress ?? []],
    ] as const) {
      rules.forEach((rule, i) => {
        const path = `spec.${direction}[${i}]`
        ;(rule.ports ?? []).forEach((port, j) => errors.push(...validatePort(port, `${path}.ports[${j}]`)))
        const [side, peers] = 'from' in rule ? ['from', rule.from] : ['to', 'to' in rule ? rule.to : undefined]
        ;(peers ?? []).forEach((peer, j) => errors.push(...validatePeer(peer, `${path}.${side}[${j}]`, known)))
      })
    }
    const types = spec.policyTypes ?? []
    if (types.length > policyTypes.length) return [...errors, fieldInvalid('spec.policyTypes', types, 'may not specify more than two policyTypes')]
    types.forEach((type, i) => {
      if (!policyTypes.includes(type)) errors.push(fieldNotSupported(`spec.policyTypes[${i}]`, type, policyTypes))
    })
    return errors
  },
}

/** Every peer with where it stands. */
function peersOf({ spec }: NetworkPolicy): { readonly peer: NetworkPolicyPeer; readonly path: string }[] {
  return [
    ...(spec?.ingress ?? []).flatMap((rule, i) => (rule.from ?? []).map((peer, j) => ({ peer, path: `spec.ingress[${i}].from[${j}]` }))),
    ...(spec?.egress ?? []).flatMap((rule, i) => (rule.to ?? []).map((peer, j) => ({ peer, path: `spec.egress[${i}].to[${j}]` }))),
  ]
}

function networksOf(block: IPBlock | undefined): string[] {
  return block === undefined ? [] : [block.cidr, ...(block.except ?? [])]
}

function warningsOf(policy: NetworkPolicy): string[] {
  return peersOf(policy).flatMap(({ peer, path }) =>
    networksOf(peer.ipBlock).flatMap((network, i) => networkWarnings(`${path}.ipBlock.${i === 0 ? 'cidr' : `except[${i - 1}]`}`, network)),
  )
}

function validatePort({ protocol, port, endPort }: NetworkPolicyPort, path: string): FieldError[] {
  const errors = protocol === undefined || protocols.includes(protocol) ? [] : [fieldNotSupported(`${path}.protocol`, protocol, protocols)]
  const badEnd = (detail: string): void => void errors.push(fieldInvalid(`${path}.endPort`, endPort, detail))
  if (port === undefined) {
    if (endPort !== undefined) badEnd('may not be specified when `port` is not specified')
  } else if (typeof port === 'number') {
    for (const problem of portNumberProblems(port)) errors.push(fieldInvalid(`${path}.port`, port, problem))
    if (endPort === undefined) return errors
    if (endPort < port) errors.push(fieldInvalid(`${path}.endPort`, port, 'must be greater than or equal to `port`'))
    for (const problem of portNumberProblems(endPort)) badEnd(problem)
  } else {
    if (endPort !== undefined) badEnd('may not be specified when `port` is non-numeric')
    for (const problem of portNameProblems(port)) errors.push(fieldInvalid(`${path}.port`, port, problem))
  }
  return errors
}

function validatePeer({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, path: string, known: ReadonlySet<string>): FieldError[] {
  const errors = [...validateLabelSelector(podSelector, `${path}.podSelector`), ...validateLabelSelector(namespaceSelector, `${path}.namespaceSelector`)]
  if (ipBlock !== undefined) errors.push(...validateBlock(ipBlock, `${path}.ipBlock`, known))
  const given = [podSelector, namespaceSelector, ipBlock].filter((part) => part !== undefined).length
  if (given === 0) errors.push(fieldRequired(path, 'must specify a peer'))
  else if (given > 1 && ipBlock !== undefined) errors.push(fieldForbidden(path, 'may not specify both ipBlock and another peer'))
  return errors
}

function validateBlock({ cidr, except = [] }: IPBlock, path: string, known: ReadonlySet<string>): FieldError[] {
  if (cidr === '') return [fieldRequired(`${path}.cidr`)]
  const check = (field: string, value: string): FieldError[] => (known.has(value) ? [] : validateLegacyNetwork(field, value))
  const errors = check(`${path}.cidr`, cidr)
  const network = parseNetwork(cidr)
  if (network === undefined) return errors
  except.forEach((value, i) => {
    const field = `${path}.except[${i}]`
    errors.push(...check(field, value))
    const inner = parseNetwork(value)
    if (inner !== undefined && (!networkContains(network, inner.base) || network.prefixLength >= inner.prefixLength)) {
      errors.push(fieldInvalid(field, value, 'must be a strict subset of `cidr`'))
    }
  })
  return errors
}
