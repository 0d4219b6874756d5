import { createPrivateKey } from 'node:crypto'
import type { PrivateFiles } from '@gantry/access/server'
import { createSigningKey } from '@gantry/kube-access'
import { StartFailure } from './start-failure.ts'

const file = 'service-account.key'

/** The key that signs service account tokens: made once, or the tokens in running pods would end with the process. */
export async function keepSigningKey(files: PrivateFiles): Promise<string> {
  const kept = await files.read(file)
  if (kept !== undefined) {
    try {
      createPrivateKey(kept)
      return kept
    } catch (cause) {
      const path = files.pathOf(file)
      const mend =
        'put a copy of it back (backups have one), or move it away: then a new one is made, and no token of a service account that was issued before is good'
      throw new StartFailure(`${path} holds no private key in PEM: ${mend}`, { cause })
    }
  }
  const key = createSigningKey()
  await files.write(file, key)
  return key
}
