import type { CriClient } from '../cri/cri-client.ts'
import { CriError } from '../cri/cri-client.ts'
import type { Container, HttpGetAction, LifecycleHandler, Probe, ProbeHandler } from '../pod/pod.ts'
import type { CheckOutcome, ProbeIo } from './probe-io.ts'

export interface HandlerTarget {
  readonly container: Container
  readonly containerId: string
  /** Where the container's ports answer. */
  readonly podIP: string
}

const maxOutputBytes = 10 << 10

/** Does the check that a probe describes. */
export function checkProbe(deps: { readonly cri: CriClient; readonly io: ProbeIo }, target: HandlerTarget, probe: Probe): Promise<CheckOutcome> {
  return checkHandler(deps, target, { handler: probe, timeoutSeconds: probe.timeoutSeconds ?? 1 })
}

/** Does what a probe or a lifecycle hook describes and tells how it went. A sleeping hook is not done here. */
export async function checkHandler(
  deps: { readonly cri: CriClient; readonly io: ProbeIo },
  target: HandlerTarget,
  options: { readonly handler: ProbeHandler & LifecycleHandler; readonly timeoutSeconds: number },
): Promise<CheckOutcome> {
  const { handler, timeoutSeconds } = options
  const timeoutMs = timeoutSeconds * 1_000
  try {
    if (handler.exec !== undefined) return await checkExec(deps.cri, target.containerId, { command: handler.exec.command ?? [], timeoutSeconds })
    if (handler.httpGet !== undefined) return await deps.io.http(httpCheckOf(handler.httpGet, target, timeoutMs))
    if (handler.tcpSocket !== undefined) {
      const { host, port } = handler.tcpSocket
      return await deps.io.tcp({ host: host || target.podIP, port: portNumber(port, target.container), timeoutMs })
    }
    if (handler.grpc !== undefined) return await deps.io.grpc({ host: target.podIP, port: handler.grpc.port, service: handler.grpc.service ?? '', timeoutMs })
    return { kind: 'failure', message: 'missing probe handler' }
  } catch (error) {
    return { kind: 'failure', message: error instanceof Error ? error.message : String(error) }
  }
}

async function checkExec(
  cri: CriClient,
  containerId: string,
  options: { readonly command: readonly string[]; readonly timeoutSeconds: number },
): Promise<CheckOutcome> {
  const { command, timeoutSeconds } = options
  try {
    const { stdout, stderr, exitCode } = await cri.execSync(containerId, command, timeoutSeconds)
    const message = Buffer.concat([stdout, stderr]).subarray(0, maxOutputBytes).toString('utf8')
    return exitCode === 0 ? { kind: 'success', message } : { kind: 'failure', message }
  } catch (error) {
    if (!(error instanceof CriError) || error.code !== 'DEADLINE_EXCEEDED') throw error
    return { kind: 'failure', message: `command timed out: ${JSON.stringify(command.join(' '))} timed out after ${timeoutSeconds}s` }
  }
}

function httpCheckOf(action: HttpGetAction, target: HandlerTarget, timeoutMs: number): Parameters<ProbeIo['http']>[0] {
  return {
    scheme: action.scheme?.toUpperCase() === 'HTTPS' ? 'https' : 'http',
    host: action.host || target.podIP,
    port: portNumber(action.port, target.container),
    path: action.path ?? '/',
    headers: action.httpHeaders ?? [],
    timeoutMs,
  }
}

/** A port by number or by the name it has in the container. */
function portNumber(port: number | string, container: Container): number {
  const found = typeof port === 'number' ? port : (container.ports?.find(({ name }) => name === port)?.containerPort ?? Number(port))
  if (Number.isInteger(found) && found > 0 && found < 65_536) return found
  throw new Error(`invalid port number: ${port}`)
}
