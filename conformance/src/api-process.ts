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
  const file = (name: string): Promise<string> => readFile(join(certsDir, name), 'utf8')
  const pair = async (name: string): Promise<{ readonly cert: string; readonly key: string }> => ({
    cert: await file(`${name}.crt`),
    key: await file(`${name}.key`),
  })
  const [ca, requestHeaderCa, tls, certificate] = await Promise.all([file('ca.crt'), file('front-proxy-ca.crt'), pair('apiserver'), pair('front-proxy-client')])
  const extensionServers = { certificate, trust: { requestHeaderCa, allowedNames: ['front-proxy-client'], clientCa: ca } }
  await using parts = new AsyncDisposableStack()
  const store = parts.use(await openSqliteStore({ file: join(dir, 'state.db'), clock, log }))
  const cluster = parts.use(
    await startLocalCluster({ store, clock, ids, log }, { controllers: false, serviceCidr, ca, signingKey: await file('sa.key'), extensionServers }),
  )
  parts.use(
    await openEdge({ clock, log, handle: cluster.handle, upgrade: cluster.upgrade }, { host: '127.0.0.1', port: Number(port), tls, clientCa: ca, drainMs }),
  )
  await new Promise<void>((resolve) => process.once('SIGTERM', resolve).once('SIGINT', resolve))
}

await main(process.argv.slice(2))
