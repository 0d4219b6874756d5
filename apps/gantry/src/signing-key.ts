import type { PrivateFiles } from '@gantry/access/server'
import { createSigningKey } from '@gantry/kube-access'

const file = 'service-account.key'

/** The key that signs service account tokens: made once, or the tokens in running pods would end with the process. */
export async function keepSigningKey(files: PrivateFiles): Promise<string> {
  const kept = await files.read(file)
  if (kept !== undefined) return kept
  const key = createSigningKey()
  await files.write(file, key)
  return key
}
