import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Writes a file whole: a crash or a power cut leaves the old one or the new one, and nobody but its owner ever reads either. One writer at a time; the folder has to be there. Throws what
 * the file system does.
 */
export async function writePrivateFile(file: string, text: string): Promise<void> {
  const fresh = `${file}.new`
  const handle = await open(fresh, 'w', 0o600)
  try {
    await handle.chmod(0o600)
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(fresh, file)
  // A name that a power cut takes back would take a key with it that objects are encrypted with already.
  await using folder = await open(dirname(file))
  await folder.sync()
}
