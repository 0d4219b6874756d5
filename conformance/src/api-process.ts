// The API server of the local cluster alone, without controllers, as a process that Kubernetes' own components can be pointed at:
// node api-process.ts DIR PORT CERTS SERVICE-CIDR [--authentication-config FILE] [--authorization-config FILE] [--authentication-token-webhook-config-file FILE]
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openEdge } from '@gantry/gateway'
import { startLocalCluster } from '@gantry/kube-cluster'
import { createLogger, systemClock as clock, systemIds as ids } from '@gantry/runtime'
import { openSqliteStore } from '@gantry/storage'

const drainMs = 1_000
const proxyName = 'front-proxy-client'

async function main(args: readonly string[]): Promise<void> {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      'authentication-config': { type: 'string' },
      'authorization-config': { type: 'string' },
      'authentication-token-webhook-config-file': { type: 'string' },
    },
  })
  const [dir, port, certsDir, serviceCidr] = positionals
  if (dir === undefined || certsDir === undefined || serviceCidr === undefined) throw new Error('usage: api-process.ts DIR PORT CERTS SERVICE-CIDR [OPTIONS]')
  const log = createLogger({ clock, write: (line) => void process.stderr.write(line) }, { level: 'warn' })
  const file = (name: string): Promise<string> => readFile(join(certsDir, name), 'utf8')
  const pair = async (name: string): Promise<{ readonly cert: string; readonly key: string }> => ({
    cert: await file(`${name}.crt`),
    key: await file(`${name}.key`),
  })
  const [ca, requestHeaderCa, tls, certificate] = await Promise.all([file('ca.crt'), file('front-proxy-ca.crt'), pair('apiserver'), pair(proxyName)])
  const extensionServers = { certificate, trust: { requestHeaderCa, allowedNames: [proxyName], clientCa: ca } }
  const proxyAuthority = new X509Certificate(requestHeaderCa).fingerprint256
  await using parts = new AsyncDisposableStack()
  const store = parts.use(await openSqliteStore({ file: join(dir, 'state.db'), clock, log }))
  const cluster = parts.use(
    await startLocalCluster(
      { store, clock, ids, log },
      {
        controllers: false,
        serviceCidr,
        ca,
        signingKey: await file('sa.key'),
        extensionServers,
        access: { requestHeader: { allowedNames: [proxyName], isFromProxyCa: ({ authority256 }) => authority256 === proxyAuthority } },
        accessFiles: {
          authenticationConfig: values['authentication-config'],
          authorizationConfig: values['authorization-config'],
          tokenWebhook: values['authentication-token-webhook-config-file'],
        },
      },
    ),
  )
  parts.use(
    await openEdge(
      { clock, log, handle: cluster.handle, upgrade: cluster.upgrade },
      { host: '127.0.0.1', port: Number(port), tls, clientCa: `${ca}${requestHeaderCa}`, drainMs },
    ),
  )
  await new Promise<void>((resolve) => process.once('SIGTERM', resolve).once('SIGINT', resolve))
}

await main(process.argv.slice(2))
