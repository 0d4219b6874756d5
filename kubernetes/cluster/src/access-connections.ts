import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { loadKubeconfig, openHttpTransport } from '@gantry/client'
import type { Connection, FileSource, WebhookConnection } from '@gantry/kube-access'
import type { Clock } from '@gantry/runtime'

// The servers and files outside that access control depends on.

/** A configuration file as it is now; rejects when it cannot be read. */
export async function openFileSource(path: string): Promise<FileSource> {
  const read = (): Promise<string> => readFile(path, 'utf8')
  return { path, content: await read(), read }
}

export function connectIssuer(origin: string, ca: string | undefined, deps: { readonly clock: Clock }): Connection {
  return openHttpTransport({ server: origin, ca, connections: 2 }, deps)
}

/** The server of a kubeconfig's current context; files in it stand relative to it. Throws what makes it unusable; connects when it is first asked. */
export function openWebhook(kubeconfigFile: string, deps: { readonly clock: Clock }): WebhookConnection {
  const { transport } = loadKubeconfig(readFileSync(kubeconfigFile, 'utf8'), {
    readFile: (path) => readFileSync(resolve(dirname(kubeconfigFile), path)),
    anonymous: true,
  })
  const { origin, pathname, search } = new URL(transport.server)
  const http = openHttpTransport({ ...transport, server: origin }, deps)
  return { handle: http.handle, close: () => http.close(), path: `${pathname}${search}` }
}
