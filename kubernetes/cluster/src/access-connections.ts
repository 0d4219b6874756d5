import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { loadKubeconfig, openHttpTransport } from '@gantry/client'
import type { Connection, FileSource, WebhookConnection } from '@gantry/kube-access'
import { fileProblem } from '@gantry/runtime'
import type { Clock } from '@gantry/runtime'

// The servers and files outside that access control depends on.

const longestFileBytes = 1 << 20

/** A configuration file as it is now; rejects with an Error that names file and cause when it cannot be read. */
export async function openFileSource(path: string): Promise<FileSource> {
  const read = (): Promise<string> => readConfigurationFile(path)
  return { path, content: await read(), read }
}

async function readConfigurationFile(path: string): Promise<string> {
  try {
    await using file = await open(path)
    const { size } = await file.stat()
    if (size > longestFileBytes) throw new Error(`it is longer than ${longestFileBytes} bytes`)
    return await file.readFile('utf8')
  } catch (cause) {
    throw new Error(`cannot read ${path}: ${fileProblem(cause)}`, { cause })
  }
}

export function connectIssuer(origin: string, ca: string | undefined, deps: { readonly clock: Clock }): Connection {
  return openHttpTransport({ server: origin, ca, connections: 2 }, deps)
}

/** The server of a kubeconfig's current context; files in it stand relative to it. Throws what makes it unusable; connects when it is first asked. */
export function openWebhook(kubeconfigFile: string, deps: { readonly clock: Clock }): WebhookConnection {
  const text = readNow(kubeconfigFile).toString()
  const { transport } = usable(kubeconfigFile, () =>
    loadKubeconfig(text, { readFile: (path) => readNow(resolve(dirname(kubeconfigFile), path)), anonymous: true }),
  )
  const { origin, pathname, search } = new URL(transport.server)
  const http = openHttpTransport({ ...transport, server: origin }, deps)
  return { handle: http.handle, close: () => http.close(), path: `${pathname}${search}` }
}

function readNow(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new Error(`cannot read ${path}: ${fileProblem(cause)}`, { cause })
  }
}

/** What is wrong with the content of a file, with the file's name. */
export function usable<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new Error(`${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
