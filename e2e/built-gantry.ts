import { fileURLToPath } from 'node:url'
import { run } from './program.ts'

const builder = fileURLToPath(new URL('../tools/build.ts', import.meta.url))
const withinMs = 180_000

/** Builds bundle and console where their sources have changed, as `npm start` does: the story is told of what users get. */
export async function buildGantry(): Promise<void> {
  const { code, stdout, stderr } = await run(process.execPath, [builder, '--if-stale'], { withinMs })
  if (code !== 0) throw new Error(`the build failed:\n${stdout}${stderr}`)
}
