import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { StatusError } from '@gantry/apimachinery'
import { loadKubeconfig, type KubeconfigTarget } from '@gantry/client'
import { fileProblem, type Clock } from '@gantry/runtime'
import { inCluster, type HubConfig } from '../config.ts'
import { StartFailure } from '../start-failure.ts'

/** Where every pod finds its ServiceAccount. */
const podServiceAccount = '/var/run/secrets/kubernetes.io/serviceaccount'
// A kubelet renews a pod's token when four fifths of its life, at least ten minutes, are over: client-go reads it again once a minute.
const tokenAgeMs = 10_000

export interface HubAccessDeps {
  readonly clock: Clock
  readonly env: Readonly<Record<string, string | undefined>>
  /** Folder of `ca.crt` and `token`; where every pod has them, when absent. */
  readonly serviceAccountDir?: string | undefined
}

/** How the hub is reached and with which credential. Throws StartFailure that names the file and what is wrong with it; no secret is in the message. */
export function hubAccess(hub: HubConfig, deps: HubAccessDeps): KubeconfigTarget['transport'] {
  return hub.kubeconfig === inCluster ? serviceAccount(deps) : fromKubeconfig(hub, deps)
}

function fromKubeconfig({ kubeconfig, context }: HubConfig, deps: { readonly clock: Clock }): KubeconfigTarget['transport'] {
  try {
    const readFile = rememberingReader((path) => readFileSync(resolve(dirname(kubeconfig), path)), deps.clock)
    return loadKubeconfig(readFileSync(kubeconfig, 'utf8'), { context, readFile }).transport
  } catch (cause) {
    const problem = cause instanceof StatusError ? cause.message : fileProblem(cause)
    throw new StartFailure(`--hub-kubeconfig ${kubeconfig}: ${problem}`, { cause })
  }
}

function serviceAccount({ clock, env, serviceAccountDir = podServiceAccount }: HubAccessDeps): KubeconfigTarget['transport'] {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env
  if (host === undefined || host === '')
    throw new StartFailure('--hub-kubeconfig in-cluster works in a pod only, where KUBERNETES_SERVICE_HOST is set: give the path of a kubeconfig instead')
  try {
    const ca = readFileSync(join(serviceAccountDir, 'ca.crt'))
    const readToken = rememberingReader(() => readFileSync(join(serviceAccountDir, 'token')), clock)
    readToken('token')
    return { server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`, ca, token: () => readToken('token').toString('utf8').trim() }
  } catch (cause) {
    throw new StartFailure(`the pod's ServiceAccount in ${serviceAccountDir} cannot be read: ${fileProblem(cause)}; leave automountServiceAccountToken on`, {
      cause,
    })
  }
}

/** Credentials that are renewed in their files are noticed within seconds, and no request reads a disk. */
function rememberingReader(read: (path: string) => Buffer, clock: Clock): (path: string) => Buffer {
  const known = new Map<string, { readonly content: Buffer; readonly atMs: number }>()
  return (path) => {
    const found = known.get(path)
    if (found !== undefined && clock.monotonicMs() - found.atMs < tokenAgeMs) return found.content
    const content = read(path)
    known.set(path, { content, atMs: clock.monotonicMs() })
    return content
  }
}
