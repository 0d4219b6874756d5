// The API server of the local cluster alone, without controllers, as a process that Kubernetes' own components can be pointed at:
// node api-process.ts DIR PORT CERTS SERVICE-CIDR [--authentication-config FILE] [--authorization-config FILE] [--authentication-token-webhook-config-file FILE]
//   [--audit-policy-file FILE --audit-log-path FILE --audit-webhook-config-file FILE]
import { X509Certificate } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openEdge } from '@gantry/gateway'
import { startLocalCluster } from '@gantry/kube-cluster'
import { createLogger, systemClock as clock, systemIds as ids } from '@gantry/runtime'
import type { UserInfo } from '@gantry/runtime'
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
      'audit-policy-file': { type: 'string' },
      'audit-log-path': { type: 'string' },
      'audit-webhook-config-file': { type: 'string' },
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
  const auditFile = values['audit-log-path']
  const auditLog = auditFile === undefined ? undefined : createWriteStream(auditFile, { flags: 'a', mode: 0o600 })
  const cluster = parts.use(
    await startLocalCluster(
      { store, clock, ids, log, ...(auditLog !== undefined && { auditSinks: [{ write: (event) => void auditLog.write(`${event}\n`) }] }) },
      {
        controllers: false,
        serviceCidr,
        ca,
        signingKey: await file('sa.key'),
        extensionServers,
        access: {
          requestHeader: { allowedNames: [proxyName], isFromProxyCa: ({ authority256 }) => authority256 === proxyAuthority },
          tokenAuthenticators: [await staticTokens(join(dir, 'tokens.csv'))],
        },
        accessFiles: {
          authenticationConfig: values['authentication-config'],
          authorizationConfig: values['authorization-config'],
          tokenWebhook: values['authentication-token-webhook-config-file'],
          auditPolicy: values['audit-policy-file'],
          auditWebhook: values['audit-webhook-config-file'],
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

/** The tokens of a control plane: lines of token, name, uid and perhaps a group in quotes. */
async function staticTokens(path: string): Promise<(token: string, audiences: readonly string[]) => Promise<TokenIdentity | undefined>> {
  const lines = (await readFile(path, 'utf8')).trim().split('\n')
  const users = new Map(
    lines.map((line) => {
      const [token = '', username = '', uid = '', group] = line.replaceAll('"', '').split(',')
      return [token, { username, uid, groups: group === undefined ? [] : [group] }]
    }),
  )
  return async (token, audiences) => {
    const user = users.get(token)
    return user === undefined ? undefined : { user, audiences }
  }
}

interface TokenIdentity {
  readonly user: UserInfo
  readonly audiences: readonly string[]
}

await main(process.argv.slice(2))
