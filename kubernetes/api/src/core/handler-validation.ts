import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, portNameProblems, portNumberProblems } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { HTTPGetAction, IntOrString, Lifecycle, LifecycleHandler, Probe } from '../generated/types.ts'

// Probes and hooks. Upstream: validateProbe, validateLifecycle and validateHandler of pkg/apis/core/validation.

interface Handler {
  readonly exec?: { readonly command?: readonly string[] | undefined } | undefined
  readonly httpGet?: HTTPGetAction | undefined
  readonly tcpSocket?: { readonly port?: IntOrString | undefined } | undefined
  readonly grpc?: { readonly port?: number | undefined } | undefined
  readonly sleep?: { readonly seconds?: number | undefined } | undefined
}

export function validatePort(port: IntOrString | undefined, path: string): FieldError[] {
  const value = port ?? 0
  const problems = typeof value === 'number' ? portNumberProblems(value) : portNameProblems(value)
  return problems.map((problem) => fieldInvalid(path, value, problem))
}

const schemes = ['HTTP', 'HTTPS']
const headerForm = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"

function validateHttpGet({ path: target = '', port, scheme = '', httpHeaders = [] }: HTTPGetAction, path: string): FieldError[] {
  const errors: FieldError[] = target === '' ? [fieldRequired(`${path}.path`, '')] : []
  errors.push(...validatePort(port, `${path}.port`))
  if (!schemes.includes(scheme)) errors.push(fieldNotSupported(`${path}.scheme`, scheme, schemes))
  for (const { name = '' } of httpHeaders) if (!/^[-A-Za-z0-9]+$/.test(name)) errors.push(fieldInvalid(`${path}.httpHeaders`, name, headerForm))
  return errors
}

function validateHandler(handler: Handler, path: string, gracePeriod: number | undefined): FieldError[] {
  const errors: FieldError[] = []
  let count = 0
  const rules = {
    exec: () => ((handler.exec?.command ?? []).length === 0 ? [fieldRequired(`${path}.exec.command`, '')] : []),
    httpGet: () => validateHttpGet(handler.httpGet ?? { port: 0 }, `${path}.httpGet`),
    tcpSocket: () => validatePort(handler.tcpSocket?.port, `${path}.tcpSocket.port`),
    grpc: () => validatePort(handler.grpc?.port, `${path}.grpc.port`),
    sleep: () => validateSleep(handler.sleep?.seconds ?? 0, `${path}.sleep`, gracePeriod),
  } as const
  for (const [field, rule] of Object.entries(rules)) {
    if (handler[field as keyof typeof rules] === undefined) continue
    errors.push(...(count === 0 ? rule() : [fieldForbidden(`${path}.${field}`, 'may not specify more than 1 handler type')]))
    count++
  }
  if (count === 0) errors.push(fieldRequired(path, 'must specify a handler type'))
  return errors
}

function validateSleep(seconds: number, path: string, gracePeriod: number | undefined): FieldError[] {
  if (gracePeriod === undefined || (seconds >= 0 && seconds <= gracePeriod)) return []
  return [fieldInvalid(path, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriod})`)]
}

const counts = ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const

export interface Probed {
  readonly livenessProbe?: Probe | undefined
  readonly readinessProbe?: Probe | undefined
  readonly startupProbe?: Probe | undefined
  readonly lifecycle?: Lifecycle | undefined
}

/** Hooks and probes of a container that keeps running. `gracePeriod` is the pod's, in seconds. */
export function validateHandlers(container: Probed, path: string, gracePeriod: number | undefined): FieldError[] {
  const { lifecycle, livenessProbe, readinessProbe, startupProbe } = container
  if (lifecycle === undefined && livenessProbe === undefined && readinessProbe === undefined && startupProbe === undefined) return []
  const errors: FieldError[] = []
  for (const hook of ['postStart', 'preStop'] as const) {
    const handler: LifecycleHandler | undefined = lifecycle?.[hook]
    if (handler !== undefined) errors.push(...validateHandler(handler, `${path}.lifecycle.${hook}`, gracePeriod))
  }
  for (const field of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[field]
    if (probe === undefined) continue
    const at = `${path}.${field}`
    errors.push(...validateProbe(probe, at))
    if (field === 'readinessProbe') {
      if (probe.terminationGracePeriodSeconds !== undefined)
        errors.push(fieldInvalid(`${at}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds, 'must not be set for readinessProbes'))
    } else if (probe.successThreshold !== 1) errors.push(fieldInvalid(`${at}.successThreshold`, probe.successThreshold ?? 0, 'must be 1'))
  }
  return errors
}

function validateProbe(probe: Probe, path: string): FieldError[] {
  const errors = validateHandler(probe, path, undefined)
  for (const field of counts) {
    const value = probe[field] ?? 0
    if (value < 0) errors.push(fieldInvalid(`${path}.${field}`, value, 'must be greater than or equal to 0'))
  }
  const { terminationGracePeriodSeconds: seconds } = probe
  if (seconds !== undefined && seconds <= 0) errors.push(fieldInvalid(`${path}.terminationGracePeriodSeconds`, seconds, 'must be greater than 0'))
  return errors
}
