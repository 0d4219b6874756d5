import type { Container, EnvVar, KeySelector, Pod } from './pod.ts'
import { identityOf } from './pod.ts'
import { resourceFieldOf } from './container-resources.ts'
import type { NodeCapacity } from './container-resources.ts'
import { downwardField } from './downward-fields.ts'
import type { PodAddresses } from './downward-fields.ts'
import { expand } from './expansion.ts'

/** Config maps and secrets of the pod's namespace. Undefined when there is none of that name. */
export interface ConfigSource {
  configMap(name: string): Promise<ConfigMapContent | undefined>
  secret(name: string): Promise<SecretContent | undefined>
}

export interface ConfigMapContent {
  readonly data: Readonly<Record<string, string>>
  readonly binaryData: Readonly<Record<string, Buffer>>
}

export interface SecretContent {
  readonly type: string
  readonly data: Readonly<Record<string, Buffer>>
}

/** The pod's definition cannot be turned into a container: shown as reason CreateContainerConfigError. */
export class ContainerConfigError extends Error {}

export interface EnvironmentInput {
  readonly pod: Pod
  readonly container: Container
  readonly addresses: PodAddresses
  readonly capacity: NodeCapacity
  readonly source: ConfigSource
  /** Variables of the services the pod can see. */
  readonly serviceVariables: Readonly<Record<string, string>>
}

/** The variables of a container in their order: envFrom, env, then those of services that nothing else has set. Upstream: kubelet_pods.go makeEnvironmentVariables. */
export async function environmentOf(input: EnvironmentInput): Promise<ReadonlyMap<string, string>> {
  const { container, serviceVariables } = input
  const variables = new Map<string, string>()
  for (const from of container.envFrom ?? []) {
    const prefix = from.prefix ?? ''
    for (const [key, value] of Object.entries(await wholeSource(input, from))) variables.set(prefix + key, value)
  }
  const lookup = (name: string): string | undefined => variables.get(name) ?? serviceVariables[name]
  for (const variable of container.env ?? []) {
    const value = await valueOf(input, variable, lookup)
    if (value !== undefined) variables.set(variable.name, value)
  }
  for (const [name, value] of Object.entries(serviceVariables)) if (!variables.has(name)) variables.set(name, value)
  return variables
}

async function wholeSource(input: EnvironmentInput, from: NonNullable<Container['envFrom']>[number]): Promise<Readonly<Record<string, string>>> {
  const { source } = input
  if (from.configMapRef !== undefined) {
    const { name = '', optional } = from.configMapRef
    const content = await source.configMap(name)
    if (content !== undefined) return content.data
    if (optional) return {}
    throw new ContainerConfigError(`configmap "${name}" not found`)
  }
  if (from.secretRef === undefined) return {}
  const { name = '', optional } = from.secretRef
  const content = await source.secret(name)
  if (content !== undefined) return textsOf(content.data)
  if (optional) return {}
  throw new ContainerConfigError(`secret "${name}" not found`)
}

async function valueOf(input: EnvironmentInput, variable: EnvVar, lookup: (name: string) => string | undefined): Promise<string | undefined> {
  const { pod, container, addresses, capacity, source } = input
  const from = variable.valueFrom
  if (from?.fieldRef !== undefined) return downwardField(pod, from.fieldRef.fieldPath, addresses)
  if (from?.resourceFieldRef !== undefined) return resourceFieldOf(pod, container, from.resourceFieldRef, capacity)
  if (from?.configMapKeyRef !== undefined) {
    const { name = '' } = from.configMapKeyRef
    return keyOf(input, { ...from.configMapKeyRef, kind: 'ConfigMap' }, (await source.configMap(name))?.data)
  }
  if (from?.secretKeyRef !== undefined) {
    const { name = '' } = from.secretKeyRef
    const content = await source.secret(name)
    return keyOf(input, { ...from.secretKeyRef, kind: 'Secret' }, content && textsOf(content.data))
  }
  return expand(variable.value ?? '', lookup)
}

function keyOf(
  input: EnvironmentInput,
  selector: KeySelector & { readonly kind: 'ConfigMap' | 'Secret' },
  data: Readonly<Record<string, string>> | undefined,
): string | undefined {
  const { name = '', key, optional, kind } = selector
  const value = data?.[key]
  if (value !== undefined || optional) return value
  if (data === undefined) throw new ContainerConfigError(`${kind.toLowerCase()} "${name}" not found`)
  throw new ContainerConfigError(`couldn't find key ${key} in ${kind} ${identityOf(input.pod).namespace}/${name}`)
}

function textsOf(data: Readonly<Record<string, Buffer>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, value.toString('utf8')]))
}

/** A Service, as far as its variables go. */
export interface ServiceForVariables {
  readonly name: string
  readonly clusterIP: string
  readonly ports: readonly { readonly name?: string | undefined; readonly port: number; readonly protocol?: string | undefined }[]
}

/** The Docker-compatible variables of services; upstream: pkg/kubelet/envvars. */
export function serviceVariablesOf(services: readonly ServiceForVariables[]): Readonly<Record<string, string>> {
  const variables: Record<string, string> = {}
  for (const { name, clusterIP, ports } of services) {
    const first = ports[0]
    if (clusterIP === '' || clusterIP === 'None' || first === undefined) continue
    const prefix = variableName(name)
    const link = (port: { readonly port: number; readonly protocol?: string | undefined }): string =>
      `${(port.protocol ?? 'TCP').toLowerCase()}://${clusterIP.includes(':') ? `[${clusterIP}]` : clusterIP}:${port.port}`
    variables[`${prefix}_SERVICE_HOST`] = clusterIP
    variables[`${prefix}_SERVICE_PORT`] = String(first.port)
    for (const port of ports) if (port.name) variables[`${prefix}_SERVICE_PORT_${variableName(port.name)}`] = String(port.port)
    variables[`${prefix}_PORT`] = link(first)
    for (const port of ports) {
      const protocol = port.protocol ?? 'TCP'
      const portPrefix = `${prefix}_PORT_${port.port}_${protocol}`
      variables[portPrefix] = link(port)
      variables[`${portPrefix}_PROTO`] = protocol.toLowerCase()
      variables[`${portPrefix}_PORT`] = String(port.port)
      variables[`${portPrefix}_ADDR`] = clusterIP
    }
  }
  return variables
}

function variableName(name: string): string {
  return name.replaceAll('-', '_').toUpperCase()
}
