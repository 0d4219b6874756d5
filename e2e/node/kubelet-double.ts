// node e2e/node/kubelet-double.ts: what a kube-apiserver asks of a kubelet for logs, exec, attach and port-forward, over the test command. Prints its port.
import { connect } from 'node:net'
import { createTestAuthority } from '@gantry/client/testing'
import { acceptPortForward, acceptRemoteCommand } from '@gantry/streams'
import { openTestServer, runTestCommand } from '@gantry/streams/testing'

const certificate = createTestAuthority('kubelet double', Date.now()).issue({ commonName: 'node', ip: ['127.0.0.1'] })
const server = await openTestServer({
  tls: certificate,
  onRequest(request, response) {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://node')
    if (!pathname.startsWith('/containerLogs/')) return void response.writeHead(404).end()
    response.writeHead(200, { 'content-type': 'text/plain' })
    response.write('first line\n')
    if (searchParams.get('follow') !== 'true') return void response.end('last line\n')
    // Goes on until the reader leaves.
    const ticking = setInterval(() => response.write(`tick ${'x'.repeat(100)}\n`), 50)
    response.once('close', () => clearInterval(ticking))
    return undefined
  },
  async upgrade(request, socket, head) {
    const query = new URLSearchParams(request.query)
    const is = (name: string): boolean => query.get(name) === '1' || query.get(name) === 'true'
    if (request.path.startsWith('/portForward/')) {
      return acceptPortForward(request, socket, head, async (port, signal) => {
        const target = connect({ port, host: '127.0.0.1', allowHalfOpen: true, signal })
        await new Promise((resolve, reject) => target.once('connect', resolve).once('error', reject))
        return target
      })
    }
    const streams = await acceptRemoteCommand(request, socket, head, { stdin: is('input'), stdout: is('output'), stderr: is('error'), tty: is('tty') })
    return streams.finish(await runTestCommand(request.path.startsWith('/attach/') ? ['cat'] : query.getAll('command'), streams))
  },
})
process.stdout.write(`ready ${server.port}\n`)
