import { loadKubeconfig } from '@gantry/client'
import type { Clock, Logger } from '@gantry/runtime'
import { adminName } from './first-start.ts'
import type { Identities } from './identities.ts'
import { adminKubeconfigFile, type PrivateFiles } from './platform-files.ts'
import { kubeconfigFor } from './platform-routes.ts'

export interface AdminKubeconfigDeps {
  readonly identities: Identities
  readonly files: PrivateFiles
  readonly clock: Clock
  readonly log: Logger
  readonly server: () => string
  readonly ca: () => string
  readonly clusters: () => readonly string[]
  /** Tells this data folder from those of other processes on the same hub: each has a key of its own. Undefined where there can be no other. */
  readonly instance?: string | undefined
}

// Several clusters imported by a script make one write.
const settleMs = 100

/**
 * Keeps `admin.kubeconfig` in the data folder: a context for the local and every other cluster, with one API key of the admin that stays the same from start
 * to start. Returns what to call when address, CA or clusters have changed.
 */
export async function openAdminKubeconfig(deps: AdminKubeconfigDeps): Promise<{ readonly path: string; readonly changed: () => void } & Disposable> {
  const token = (await storedKey(deps)) ?? (await freshKey(deps))
  let written = await deps.files.read(adminKubeconfigFile)
  let cancel: (() => void) | undefined
  let writing: Promise<void> = Promise.resolve()

  async function write(): Promise<void> {
    const text = kubeconfigFor({ server: deps.server(), ca: deps.ca(), credentials: { token }, clusters: deps.clusters(), user: adminName })
    if (text === written) return
    await deps.files.write(adminKubeconfigFile, text)
    written = text
  }

  await write()
  return {
    path: deps.files.pathOf(adminKubeconfigFile),
    changed() {
      cancel ??= deps.clock.schedule(() => {
        cancel = undefined
        writing = writing.then(write).catch((error: unknown) => deps.log.error('admin.kubeconfig could not be written', { error }))
      }, settleMs)
    },
    [Symbol.dispose]() {
      cancel?.()
    },
  }
}

async function storedKey(deps: AdminKubeconfigDeps): Promise<string | undefined> {
  const text = await deps.files.read(adminKubeconfigFile)
  if (text === undefined) return undefined
  let token: string | undefined
  try {
    token = loadKubeconfig(text).transport.token?.()
  } catch (error) {
    deps.log.warn('admin.kubeconfig cannot be read and is written again', { error })
    return undefined
  }
  const caller = token === undefined ? undefined : deps.identities.authenticateToken(token)
  return caller?.kind === 'platform' ? token : undefined
}

/** The file is gone or its key does not work: the keys it had are revoked, so that a lost copy is worth nothing. */
async function freshKey(deps: AdminKubeconfigDeps): Promise<string> {
  const description = deps.instance === undefined ? adminKubeconfigFile : `${adminKubeconfigFile} of ${deps.instance}`
  for (const { metadata, spec } of deps.identities.keys.values()) {
    if (spec.description === description && spec.user === adminName) await deps.identities.revokeKey(metadata.name ?? '')
  }
  const { key } = await deps.identities.createKey({ user: adminName, description })
  return key
}
