// npm run dev [-- OPTIONS OF gantry up]: the platform from source and the console with hot reload; restarts the platform when a source changes.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ensureInstalled, pinnedNode } from './installation.js'

const root = join(import.meta.dirname, '..')
const listen = '127.0.0.1:7443'
const args = process.argv.slice(2)

try {
  await ensureInstalled(root)
  const node = pinnedNode(root)
  const server = option('--listen') ?? listen
  const children = [
    start(
      node,
      [
        '--watch',
        '--watch-preserve-output',
        join(root, 'apps/gantry/src/main.ts'),
        'up',
        ...(option('--listen') === undefined ? ['--listen', listen] : []),
        ...args,
      ],
      root,
    ),
    start(node, [join(root, 'node_modules/vite/bin/vite.js')], join(root, 'apps/console'), { GANTRY_URL: `https://${server}` }),
  ]
  let stopping = false
  const stop = () => {
    stopping = true
    for (const child of children) child.kill('SIGTERM')
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  for (const child of children) {
    child.on('exit', (code) => {
      if (!stopping) process.exitCode = code ?? 1
      stop()
    })
  }
} catch (error) {
  process.stderr.write(`error: ${error.message}\n`)
  process.exitCode = 1
}

function option(name) {
  const at = args.findIndex((arg) => arg === name || arg.startsWith(`${name}=`))
  if (at === -1) return undefined
  return args[at].includes('=') ? args[at].slice(name.length + 1) : args[at + 1]
}

function start(command, commandArgs, cwd, env = {}) {
  return spawn(command, commandArgs, { cwd, stdio: 'inherit', env: { ...process.env, ...env } })
}
