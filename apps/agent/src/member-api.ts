import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { StatusError } from '@gantry/apimachinery'
import { loadKubeconfig, type HttpTransportOptions } from '@gantry/client'
import { fileProblem } from '@gantry/runtime'
import type { Clock } from '@gantry/runtime'

const accountDir = '/var/run/secrets/kubernetes.io/serviceaccount'
// Tokens of pods are renewed in their file an hour before their end; asking the disk for every request would cost more than the request.
const tokenAgeMs = 60_000

/** How the agent reaches its own cluster: a kubeconfig on a host, the ServiceAccount of its pod otherwise. Throws BadRequest that names what is missing. */
export function memberApi(
  deps: { readonly clock: Clock; readonly env: Readonly<Record<string, string | undefined>> },
  options: { readonly kubeconfig: string | undefined; readonly context: string | undefined },
): HttpTransportOptions {
  const { kubeconfig, context } = options
  if (kubeconfig !== undefined) {
    const { transport } = loadKubeconfig(read(kubeconfig).toString('utf8'), { context, readFile: (path) => read(resolve(dirname(kubeconfig), path)) })
    const { token } = transport
    return { ...transport, ...(token === undefined ? {} : { token: remembered(deps.clock, token) }) }
  }
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = deps.env
  if (host === undefined) throw new StatusError('BadRequest', 'this is no pod of a cluster: name the kubeconfig of the cluster with --kubeconfig FILE')
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: read(`${accountDir}/ca.crt`),
    token: remembered(deps.clock, () => read(`${accountDir}/token`).toString('utf8').trim()),
  }
}

function read(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new StatusError('BadRequest', `cannot read ${file}: ${fileProblem(cause)}`, { cause })
  }
}

function remembered(clock: Clock, token: () => string | undefined): () => string | undefined {
  let known: { readonly value: string | undefined; readonly atMs: number } | undefined
  return () => {
    const now = clock.monotonicMs()
    if (known === undefined || now - known.atMs >= tokenAgeMs) known = { value: token(), atMs: now }
    return known.value
  }
}
