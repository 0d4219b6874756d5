import {
  dns1035LabelProblems,
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  invalidError,
  portNameProblems,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import type { Service, ServicePort } from '../generated/types.ts'
import { ageCell, as, column, formatLabels, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { addressToNumber, numberToAddress, RangeAllocator, serviceRange } from './address-allocator.ts'
import { isPort } from './pod-spec-validation.ts'

const nodePorts = { first: 30_000, size: 2768 }

export interface ServiceOptions {
  /** The network that cluster addresses come from, as in `10.43.0.0/16`. */
  readonly serviceCidr: string
  /** Services stored already: their addresses and ports are taken. */
  readonly existing: Iterable<ApiObject>
}

export function serviceKind(options: ServiceOptions): BuiltinKind {
  const allocation = new ServiceAllocation(options)
  return {
    group: '',
    version: 'v1',
    kind: 'Service',
    plural: 'services',
    shortNames: ['svc'],
    categories: ['all'],
    namespaced: true,
    type: 'io.k8s.api.core.v1.Service',
    groupPriority: 18000,
    hasStatus: true,
    allowUnconditionalUpdate: true,
    allowCreateOnUpdate: true,
    returnsDeletedObject: true,
    validateName: dns1035LabelProblems,
    selectableFields: {
      'spec.clusterIP': (object) => as<Service>(object).spec?.clusterIP ?? '',
      'spec.type': (object) => as<Service>(object).spec?.type ?? '',
    },
    columns: [
      nameCell,
      column<Service>('Type', (object) => object.spec?.type ?? ''),
      column<Service>('Cluster-IP', (object) => object.spec?.clusterIP || '<none>'),
      column<Service>('External-IP', externalAddress),
      column<Service>('Port(s)', (object) => formatPorts(object.spec?.ports)),
      ageCell,
      column<Service>('Selector', (object) => formatLabels(object.spec?.selector), { wide: true }),
    ],
    applyDefaults,
    prepareForCreate(object) {
      object['status'] = { loadBalancer: {} }
    },
    prepareForUpdate(object, old) {
      keepAllocated(as<Service>(object), as<Service>(old))
    },
    validate: (object) => validateService(as<Service>(object)),
    validateUpdate: (object, old) => validateUpdate(as<Service>(object), as<Service>(old)),
    reserve: (object, old) => allocation.reserve(as<Service>(object), old === undefined ? undefined : as<Service>(old)),
    released: (object) => allocation.release(as<Service>(object)),
  }
}

function applyDefaults(object: ApiObject): void {
  const { spec } = as<Service>(object)
  if (spec === undefined) return
  spec.type ??= 'ClusterIP'
  spec.sessionAffinity ??= 'None'
  if (spec.sessionAffinity === 'ClientIP') {
    spec.sessionAffinityConfig ??= {}
    spec.sessionAffinityConfig.clientIP ??= {}
    spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= 10_800
  }
  for (const port of spec.ports ?? []) {
    port.protocol ??= 'TCP'
    port.targetPort ??= port.port
    if (port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port
  }
  if (spec.type === 'ExternalName') return
  spec.internalTrafficPolicy ??= 'Cluster'
  if (spec.type === 'NodePort' || spec.type === 'LoadBalancer' || (spec.externalIPs ?? []).length > 0) spec.externalTrafficPolicy ??= 'Cluster'
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true
}

/** An update that leaves out what the server has assigned keeps it (upstream: patchAllocatedValues). */
function keepAllocated(next: Service, old: Service): void {
  const { spec } = next
  const before = old.spec
  if (spec === undefined || before === undefined) return
  const keepsAddress = spec.type !== 'ExternalName' && before.type !== 'ExternalName'
  if (keepsAddress && (spec.clusterIP ?? '') === '' && (spec.clusterIPs ?? []).length === 0) {
    if (before.clusterIP !== undefined) spec.clusterIP = before.clusterIP
    if (before.clusterIPs !== undefined) spec.clusterIPs = before.clusterIPs
  }
  if (keepsAddress) {
    if (before.ipFamilies !== undefined) spec.ipFamilies ??= before.ipFamilies
    if (before.ipFamilyPolicy !== undefined) spec.ipFamilyPolicy ??= before.ipFamilyPolicy
  }
  if (usesNodePorts(spec.type) && usesNodePorts(before.type)) {
    for (const port of spec.ports ?? []) {
      if ((port.nodePort ?? 0) !== 0) continue
      const same = (before.ports ?? []).find((other) => other.port === port.port && other.protocol === port.protocol)
      const isTaken = (spec.ports ?? []).some((other) => other !== port && other.nodePort === same?.nodePort)
      if (same?.nodePort !== undefined && !isTaken) port.nodePort = same.nodePort
    }
  }
}

function usesNodePorts(type: string | undefined): boolean {
  return type === 'NodePort' || type === 'LoadBalancer'
}

class ServiceAllocation {
  readonly #addresses: RangeAllocator
  readonly #ports = new RangeAllocator(nodePorts)

  constructor(options: ServiceOptions) {
    this.#addresses = new RangeAllocator(serviceRange(options.serviceCidr))
    for (const object of options.existing) {
      const { spec } = as<Service>(object)
      const address = addressToNumber(spec?.clusterIP ?? '')
      if (address !== undefined) this.#addresses.take(address)
      for (const { nodePort = 0 } of spec?.ports ?? []) if (nodePort !== 0) this.#ports.take(nodePort)
    }
  }

  /** Assigns what is missing and reserves what is asked for; `release` undoes it when the write fails. */
  reserve(service: Service, old: Service | undefined): { release(): void } {
    const undo: (() => void)[] = []
    const release = (): void => {
      for (const step of undo.splice(0)) step()
    }
    try {
      this.#reserveAddress(service, old, undo)
      this.#reservePorts(service, old, undo)
    } catch (error) {
      release()
      throw error
    }
    return { release }
  }

  release(service: Service): void {
    const address = addressToNumber(service.spec?.clusterIP ?? '')
    if (address !== undefined) this.#addresses.release(address)
    for (const { nodePort = 0 } of service.spec?.ports ?? []) if (nodePort !== 0) this.#ports.release(nodePort)
  }

  #reserveAddress(service: Service, old: Service | undefined, undo: (() => void)[]): void {
    const { spec } = service
    if (spec === undefined) return
    if (spec.type === 'ExternalName') {
      delete spec.clusterIP
      delete spec.clusterIPs
      delete spec.ipFamilies
      delete spec.ipFamilyPolicy
      return
    }
    if ((spec.clusterIP ?? '') === '' && spec.clusterIPs?.[0] !== undefined) spec.clusterIP = spec.clusterIPs[0]
    if ((spec.clusterIP ?? '') === '') {
      const value = this.#addresses.takeAny()
      undo.push(() => this.#addresses.release(value))
      spec.clusterIP = numberToAddress(value)
    } else if (spec.clusterIP !== 'None' && spec.clusterIP !== old?.spec?.clusterIP) {
      const asked = spec.clusterIP ?? ''
      const value = addressToNumber(asked)
      if (value === undefined || !this.#addresses.contains(value))
        throw invalidService(service, 'spec.clusterIPs', [asked], 'failed to allocate IP: the provided IP is not in the valid range of the service network')
      if (!this.#addresses.take(value))
        throw invalidService(service, 'spec.clusterIPs', [asked], `failed to allocate IP ${asked}: provided IP is already allocated`)
      undo.push(() => this.#addresses.release(value))
    }
    spec.clusterIPs = [spec.clusterIP ?? '']
    spec.ipFamilies ??= ['IPv4']
    spec.ipFamilyPolicy ??= 'SingleStack'
  }

  #reservePorts(service: Service, old: Service | undefined, undo: (() => void)[]): void {
    const { spec } = service
    if (!usesNodePorts(spec?.type)) return
    const had = new Set((old?.spec?.ports ?? []).map((port) => port.nodePort ?? 0))
    ;(spec?.ports ?? []).forEach((port, index) => {
      const asked = port.nodePort ?? 0
      if (asked === 0) {
        const value = this.#ports.takeAny()
        undo.push(() => this.#ports.release(value))
        port.nodePort = value
        return
      }
      if (had.has(asked)) return
      if (!this.#ports.contains(asked)) {
        throw invalidService(
          service,
          `spec.ports[${index}].nodePort`,
          asked,
          `provided port is not in the valid range. The range of valid ports is ${nodePorts.first}-${nodePorts.first + nodePorts.size - 1}`,
        )
      }
      if (!this.#ports.take(asked)) throw invalidService(service, `spec.ports[${index}].nodePort`, asked, 'provided port is already allocated')
      undo.push(() => this.#ports.release(asked))
    })
  }
}

function invalidService(service: Service, field: string, value: unknown, detail: string): Error {
  return invalidError({ group: '', kind: 'Service' }, service.metadata.name ?? '', [fieldInvalid(field, value, detail)])
}

const serviceTypes = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']

function validateService(service: Service): FieldError[] {
  const { spec } = service
  const errors: FieldError[] = []
  const type = spec?.type ?? ''
  if (!serviceTypes.includes(type)) return [fieldNotSupported('spec.type', type, serviceTypes)]
  const ports = spec?.ports ?? []
  const isHeadless = spec?.clusterIP === 'None'
  if (ports.length === 0 && !isHeadless && type !== 'ExternalName') errors.push(fieldRequired('spec.ports', ''))
  if (type === 'ExternalName') {
    const name = (spec?.externalName ?? '').replace(/\.$/, '')
    if (name === '') errors.push(fieldRequired('spec.externalName', ''))
    else for (const problem of dns1123SubdomainProblems(name)) errors.push(fieldInvalid('spec.externalName', spec?.externalName, problem))
  }
  if (type === 'LoadBalancer' && isHeadless) errors.push(fieldInvalid('spec.clusterIPs[0]', 'None', "may not be set to 'None' for LoadBalancer services"))
  if (type === 'NodePort' && isHeadless) errors.push(fieldInvalid('spec.clusterIPs[0]', 'None', "may not be set to 'None' for NodePort services"))
  if (!['ClientIP', 'None'].includes(spec?.sessionAffinity ?? ''))
    errors.push(fieldNotSupported('spec.sessionAffinity', spec?.sessionAffinity ?? '', ['ClientIP', 'None']))
  const seen = { names: new Set<string>(), ports: new Set<string>() }
  ports.forEach((port, index) => errors.push(...validatePort(port, { path: `spec.ports[${index}]`, needsName: ports.length > 1, type, seen })))
  return errors
}

function validatePort(
  port: ServicePort,
  context: {
    readonly path: string
    readonly needsName: boolean
    readonly type: string
    readonly seen: { readonly names: Set<string>; readonly ports: Set<string> }
  },
): FieldError[] {
  const { path, seen } = context
  const errors: FieldError[] = []
  const name = port.name ?? ''
  if (name === '') {
    if (context.needsName) errors.push(fieldRequired(`${path}.name`, ''))
  } else {
    for (const problem of dns1123LabelProblems(name)) errors.push(fieldInvalid(`${path}.name`, name, problem))
    if (seen.names.has(name)) errors.push(fieldDuplicate(`${path}.name`, name))
    seen.names.add(name)
  }
  if (!isPort(port.port)) errors.push(fieldInvalid(`${path}.port`, port.port ?? 0, 'must be between 1 and 65535, inclusive'))
  if (!['TCP', 'UDP', 'SCTP'].includes(port.protocol ?? '')) errors.push(fieldNotSupported(`${path}.protocol`, port.protocol ?? '', ['SCTP', 'TCP', 'UDP']))
  if (typeof port.targetPort === 'number') {
    if (!isPort(port.targetPort)) errors.push(fieldInvalid(`${path}.targetPort`, port.targetPort, 'must be between 1 and 65535, inclusive'))
  } else for (const problem of portNameProblems(port.targetPort ?? '')) errors.push(fieldInvalid(`${path}.targetPort`, port.targetPort, problem))
  if ((port.nodePort ?? 0) !== 0 && !usesNodePorts(context.type))
    errors.push({ type: 'Forbidden', field: `${path}.nodePort`, badValue: '', detail: "may not be used when `type` is 'ClusterIP'" })
  const key = `${port.protocol} ${port.port}`
  if (seen.ports.has(key)) errors.push(fieldDuplicate(path, { protocol: port.protocol, port: port.port }))
  seen.ports.add(key)
  return errors
}

function validateUpdate({ spec }: Service, { spec: before }: Service): FieldError[] {
  const wasSet = (before?.clusterIP ?? '') !== ''
  if (wasSet && before?.type !== 'ExternalName' && spec?.type !== 'ExternalName' && spec?.clusterIP !== before?.clusterIP) {
    return [fieldInvalid('spec.clusterIPs[0]', spec?.clusterIPs ?? [spec?.clusterIP ?? ''], 'may not change once set')]
  }
  return []
}

function externalAddress({ spec, status }: Service): string {
  if (spec?.type === 'ExternalName') return spec.externalName ?? ''
  const addresses = [...(spec?.externalIPs ?? [])]
  if (spec?.type !== 'LoadBalancer') return addresses.length === 0 ? '<none>' : addresses.join(',')
  addresses.unshift(...(status?.loadBalancer?.ingress ?? []).map((ingress) => ingress.ip || ingress.hostname || ''))
  return addresses.length === 0 ? '<pending>' : addresses.join(',')
}

function formatPorts(ports: readonly ServicePort[] | undefined): string {
  if ((ports ?? []).length === 0) return '<none>'
  return (ports ?? [])
    .map((port) => ((port.nodePort ?? 0) === 0 ? `${port.port}/${port.protocol}` : `${port.port}:${port.nodePort}/${port.protocol}`))
    .join(',')
}
