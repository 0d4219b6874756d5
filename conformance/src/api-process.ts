// The API server of the local cluster alone, without controllers, as a process that Kubernetes' own components can be pointed at: node api-process.ts DIR PORT CERTS SERVICE-CIDR
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openEdge } from '@gantry/gateway'
import { startLocalCluster } from '@gantry/kube-cluster'
import { createLogger, systemClock as clock, systemIds as ids } from '@gantry/runtime'
import { openSqliteStore } from '@gantry/storage'

const drainMs = 1_000

async function main([dir, port, certsDir, serviceCidr]: readonly string[]): Promise<void> {
  if (dir === undefined || certsDir === undefined || serviceCidr === undefined) throw new Error('usage: api-process.ts DIR PORT CERTS SERVICE-CIDR')
  const log = createLogger({ clock, write: (line) => void process.stderr.write(line) }, { level: 'warn' })
  const [ca, cert, key] = await Promise.all(['ca.crt', 'apiserver.crt', 'apiserver.key'].map((file) => readFile(join(certsDir, file), 'utf8')))
  await using parts = new AsyncDisposableStack()
  const store = parts.use(await openSqliteStore({ file: join(dir, 'state.db'), clock, log }))
  const cluster = parts.use(await startLocalCluster({ store, clock, ids, log }, { controllers: false, serviceCidr, ca }))
  parts.use(
    await openEdge(
      { clock, log, handle: cluster.handle, upgrade: cluster.upgrade },
      { host: '127.0.0.1', port: Number(port), tls: { key: key ?? '', cert: cert ?? '' }, clientCa: ca, drainMs },
    ),
  )
  await new Promise<void>((resolve) => process.once('SIGTERM', resolve).once('SIGINT', resolve))
}

await main(process.argv.slice(2))
