// npm run differential [-- --seed N --count N --minutes N --kind KIND… --json FILE]: the same requests to a real API server and to ours, and in what their answers differ.
// Exit code 1 when they differ in what is not known.
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { startLocalTarget } from '../src/local-target.ts'
import { startRealTarget } from '../src/real-target.ts'
import { Api } from '../src/target.ts'
import { formatDigest } from './digest.ts'
import { runDifferential } from './differential.ts'

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      count: { type: 'string', default: '10000' },
      minutes: { type: 'string', default: '10' },
      kind: { type: 'string', multiple: true, default: [] },
      json: { type: 'string' },
    },
  })
  await using parts = new AsyncDisposableStack()
  const [real, ours] = [parts.use(await startRealTarget()), parts.use(await startLocalTarget({ controllers: false }))]
  const result = await runDifferential(
    { real: new Api(() => real), ours: new Api(() => ours) },
    { seed: Number(values.seed), count: Number(values.count), withinMs: Number(values.minutes) * 60_000, kinds: values.kind },
  )
  process.stdout.write(formatDigest(result))
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify(result.differences, undefined, 1))
  return result.differences.every(({ because }) => because !== undefined) ? 0 : 1
}

process.exitCode = await main()
