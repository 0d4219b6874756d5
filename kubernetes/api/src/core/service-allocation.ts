import { fieldInvalid, invalidError, StatusError } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import type { Service, ServicePort, ServiceSpec } from '../generated/types.ts'
import { as } from '../kind.ts'
import { addressToNumber, numberToAddress, RangeAllocator, serviceRange } from './address-allocator.ts'
import { familyOf } from './ip-validation.ts'
import { needsHealthCheck, validateClusterIps } from './service-validation.ts'

// Upstream: pkg/registry/core/service/storage/alloc.go, for a cluster of one family.

const nodePorts = { first: 30_000, size: 2768 }
const ourFamily = 'IPv4'

export interface ServiceAllocationOptions {
  /** The network that cluster addresses come from, as in `10.43.0.0/16`. */
  readonly serviceCidr: string
  /** Services stored already: their addresses and ports are taken. */
  readonly existing: Iterable<ApiObject>
}

/** What was taken for a write: one of the two is called once it is known how the write ended. */
export interface Reservation {
  commit(): void
  release(): void
}

type Undo = (() => void)[]

/** Which cluster addresses and node ports are in use. */
export class ServiceAllocation {
  readonly #addresses: RangeAllocator
  readonly #ports = new RangeAllocator(nodePorts)
  readonly #cidr: string
  /** The first usable address: that of the `kubernetes` service. */
  readonly #firstAddress: number

  constructor(options: ServiceAllocationOptions) {
    const range = serviceRange(options.serviceCidr)
    this.#cidr = options.serviceCidr
    this.#firstAddress = range.first - 1
    this.#addresses = new RangeAllocator(range)
    for (const object of options.existing) {
      const spec = as<Service>(object).spec ?? {}
      const address = addressToNumber(spec.clusterIP ?? '')
      if (address !== undefined) this.#addresses.take(address)
      for (const port of portsOf(spec)) this.#ports.take(port)
    }
  }

  /** Assigns what is missing and reserves what is asked for. Throws Invalid. */
  reserve(service: Service, old: Service | undefined, dryRun: boolean): Reservation {
    const undo: Undo = []
    const release = (): void => {
      for (const step of undo.splice(0)) step()
    }
    try {
      this.#assignFamilies(service, old)
      this.#reserveAddress(service, old, undo)
      this.#reservePorts(service, old, { undo, dryRun })
    } catch (error) {
      release()
      throw error
    }
    return {
      release,
      commit: () => {
        undo.length = 0
        if (old !== undefined) this.#releaseUnused(old, service)
      },
    }
  }

  release({ spec = {} }: Service): void {
    const address = addressToNumber(spec.clusterIP ?? '')
    if (address !== undefined) this.#addresses.release(address)
    for (const port of portsOf(spec)) this.#ports.release(port)
  }

  #releaseUnused({ spec: old = {} }: Service, { spec = {} }: Service): void {
    const address = addressToNumber(old.clusterIP ?? '')
    if (address !== undefined && spec.clusterIP !== old.clusterIP) this.#addresses.release(address)
    const kept = new Set(portsOf(spec))
    for (const port of portsOf(old)) if (!kept.has(port)) this.#ports.release(port)
  }

  #assignFamilies(service: Service, old: Service | undefined): void {
    const { spec } = service
    if (spec === undefined || spec.type === 'ExternalName') return
    const isHeadlessWithoutSelector = spec.clusterIP === 'None' && Object.keys(spec.selector ?? {}).length === 0
    spec.ipFamilyPolicy ??= old?.spec?.ipFamilyPolicy ?? (isHeadlessWithoutSelector ? 'RequireDualStack' : 'SingleStack')
    throwIfAny(service, validateClusterIps(spec, old?.spec))
    throwIfAny(service, adjustFamilies(spec, old?.spec))
    if (isHeadlessWithoutSelector) {
      const [first = ourFamily] = spec.ipFamilies ?? []
      spec.ipFamilies =
        spec.ipFamilyPolicy === 'SingleStack' || (spec.ipFamilies ?? []).length > 1
          ? [...(spec.ipFamilies ?? [first])]
          : [first, first === 'IPv4' ? 'IPv6' : 'IPv4']
      return
    }
    const errors: FieldError[] = []
    if (spec.ipFamilyPolicy === 'RequireDualStack')
      errors.push(fieldInvalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy, 'this cluster is not configured for dual-stack services'))
    ;(spec.ipFamilies ?? []).forEach((family, index) => {
      if (family !== ourFamily) errors.push(fieldInvalid(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster'))
    })
    throwIfAny(service, errors)
    if ((spec.ipFamilies ?? []).length === 0) spec.ipFamilies = [ourFamily]
  }

  #reserveAddress(service: Service, old: Service | undefined, undo: Undo): void {
    const { spec } = service
    if (spec === undefined || spec.type === 'ExternalName' || spec.clusterIP === 'None') return
    const before = old?.spec
    // An address that was given or assigned once stays: another one is refused by validation.
    if (before !== undefined && before.type !== 'ExternalName') return
    const asked = spec.clusterIP ?? ''
    let value: number
    if (asked === '') value = this.#addresses.takeAny()
    else {
      value = addressToNumber(asked) ?? -1
      const problem = (text: string): StatusError =>
        invalid(service, [fieldInvalid('spec.clusterIPs', spec.clusterIPs ?? null, `failed to allocate IP ${asked}: ${text}`)])
      if (!this.#addresses.contains(value) && value !== this.#firstAddress)
        throw problem(`the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${this.#cidr}`)
      if (!this.#addresses.take(value)) throw problem('provided IP is already allocated')
    }
    undo.push(() => this.#addresses.release(value))
    spec.clusterIP = numberToAddress(value)
    spec.clusterIPs = [spec.clusterIP]
  }

  #reservePorts(service: Service, old: Service | undefined, context: { readonly undo: Undo; readonly dryRun: boolean }): void {
    const { spec } = service
    if (spec === undefined) return
    const had = new Set(portsOf(old?.spec ?? {}))
    if (spec.type === 'NodePort' || spec.type === 'LoadBalancer') {
      const assigns = spec.type === 'NodePort' || spec.allocateLoadBalancerNodePorts !== false
      const taken = new Set<number>()
      const byPort = new Map<number, number>()
      ;(spec.ports ?? []).forEach((port, index) => {
        const asked = port.nodePort ?? 0
        if (asked === 0 && !assigns) return
        // The same port over two protocols is one port of the node.
        const shared = old === undefined ? (byPort.get(port.port) ?? askedFor(port.port, spec.ports ?? [])) : undefined
        const number = asked === 0 ? (shared ?? 0) : asked
        if (number === 0) port.nodePort = this.#takeAnyPort(context.undo)
        else {
          if (!had.has(number) && !(old === undefined ? byPort.get(port.port) === number : taken.has(number)))
            this.#takePort(number, context, (detail) => invalid(service, [fieldInvalid(`spec.ports[${index}].nodePort`, number, detail)]))
          port.nodePort = number
        }
        taken.add(port.nodePort)
        byPort.set(port.port, port.nodePort)
      })
    }
    if (!needsHealthCheck(spec) || (old?.spec !== undefined && needsHealthCheck(old.spec))) return
    const asked = spec.healthCheckNodePort ?? 0
    if (asked === 0) spec.healthCheckNodePort = this.#takeAnyPort(context.undo)
    else {
      this.#takePort(asked, context, (detail) => {
        const message = `failed to allocate requested HealthCheck NodePort ${asked}: ${detail}`
        return new StatusError('InternalError', `Internal error occurred: ${message}`, { details: { causes: [{ message }] } })
      })
    }
  }

  #takeAnyPort(undo: Undo): number {
    const port = this.#ports.takeAny()
    undo.push(() => this.#ports.release(port))
    return port
  }

  #takePort(port: number, { undo, dryRun }: { readonly undo: Undo; readonly dryRun: boolean }, refuse: (detail: string) => StatusError): void {
    if (!this.#ports.contains(port)) {
      // Upstream's rehearsal only looks whether somebody has it.
      if (dryRun) return
      throw refuse(`provided port is not in the valid range. The range of valid ports is ${nodePorts.first}-${nodePorts.first + nodePorts.size - 1}`)
    }
    if (!this.#ports.take(port)) throw refuse('provided port is already allocated')
    undo.push(() => this.#ports.release(port))
  }
}

/** Brings addresses and families in line with the policy, as far as the cluster can. */
function adjustFamilies(spec: ServiceSpec, old: ServiceSpec | undefined): FieldError[] {
  const errors: FieldError[] = []
  const blame = (detail: string): void => void errors.push(fieldInvalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy ?? null, detail))
  if (spec.ipFamilyPolicy === 'SingleStack') {
    if (old !== undefined && sameList(old.clusterIPs, spec.clusterIPs) && spec.clusterIPs !== undefined) spec.clusterIPs = spec.clusterIPs.slice(0, 1)
    if (old !== undefined && sameList(old.ipFamilies, spec.ipFamilies) && spec.ipFamilies !== undefined) spec.ipFamilies = spec.ipFamilies.slice(0, 1)
    if ((spec.clusterIPs ?? []).length === 2) blame("must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified")
    if ((spec.ipFamilies ?? []).length === 2) blame("must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified")
  } else if (old !== undefined) {
    if ((spec.clusterIPs ?? []).length > 0 && (spec.clusterIPs ?? []).length < (old.clusterIPs ?? []).length)
      blame("must be 'SingleStack' to release the secondary cluster IP")
    if ((spec.ipFamilies ?? []).length > 0 && (spec.ipFamilies ?? []).length < (old.ipFamilies ?? []).length)
      blame("must be 'SingleStack' to release the secondary IP family")
  }
  ;(spec.clusterIPs ?? []).forEach((address, index) => {
    if (address === 'None' || index < (spec.ipFamilies ?? []).length) return
    if (familyOf(address) === 4) spec.ipFamilies = [...(spec.ipFamilies ?? []), ourFamily]
    else errors.push(fieldInvalid(`spec.clusterIPs[${index}]`, spec.clusterIPs ?? null, 'IPv6 is not configured on this cluster'))
  })
  return errors
}

function sameList(a: readonly string[] = [], b: readonly string[] = []): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}

function askedFor(port: number, ports: readonly ServicePort[]): number | undefined {
  return ports.find((other) => other.port === port && (other.nodePort ?? 0) !== 0)?.nodePort
}

/** Every port of the nodes that a service has. */
function portsOf(spec: ServiceSpec): number[] {
  const ports = (spec.ports ?? []).map(({ nodePort = 0 }) => nodePort)
  return [...ports, spec.healthCheckNodePort ?? 0].filter((port) => port !== 0)
}

function throwIfAny(service: Service, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid(service, errors)
}

function invalid(service: Service, errors: readonly FieldError[]): StatusError {
  return invalidError({ group: '', kind: 'Service' }, service.metadata.name ?? '', errors)
}
