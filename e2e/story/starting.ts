import assert from 'node:assert/strict'
import { chmod, chown, copyFile, mkdir, open, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { freePort } from '../free-port.ts'
import { gantry } from '../gantry-process.ts'
import { kubectl } from '../kubectl.ts'
import { note } from '../note.ts'
import { run, start, type Outcome } from '../program.ts'
import { moreNodes } from './local-cluster.ts'
import type { World } from './world.ts'

const stopWithinMs = 5_000
/** A start that cannot work says so at once. */
const refuseWithinMs = 20_000
const nobody = 65_534

/** One line for people, nothing else, and an exit code that scripts see. */
function assertRefused({ code, stderr, stdout }: Outcome, pattern: RegExp): void {
  assert.notEqual(code, 0)
  assert.match(stderr, pattern)
  assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
  assert.doesNotMatch(stdout, /^ready/m)
}

async function mode(file: string): Promise<string> {
  return ((await stat(file)).mode & 0o777).toString(8)
}

export function startingStory(world: () => World): void {
  const up = async (dataDir: string, port?: number): Promise<Outcome> =>
    gantry(['up', '--data', dataDir, '--listen', `127.0.0.1:${port ?? (await freePort())}`], { withinMs: refuseWithinMs })

  test('one command gives a console, a password and a kubeconfig, and says when it is ready', async () => {
    const { noContainers } = world()
    const first = await world().start('gantry')
    world().adopt(first)
    note(`ready after ${Math.round(first.readyMs)} ms; by its own clock: ${/^ready.*$/m.exec(first.banner)?.[0]}`)
    if (noContainers !== undefined) note(`pods are simulated here, because ${noContainers}`)
    const password = await first.password()

    if (process.env['GANTRY_CI_RUN'] !== undefined) assert.equal(noContainers, undefined, 'CI has to see real containers')
    assert.match(first.banner, new RegExp(`console +${first.server}/console/`))
    assert.ok(first.banner.includes(password))
    assert.ok(first.banner.includes(first.kubeconfig))
    assert.match(first.banner, noContainers === undefined ? /node +containerd/ : /node +simulated/)
    assert.equal(await mode(first.kubeconfig), '600')
    assert.equal(await mode(join(first.dataDir, 'initial-password')), '600')
    assert.equal(await mode(first.dataDir), '700')
  })

  test('everything answers once it is ready', async () => {
    const { server, kubeconfig, dataDir } = world().gantry
    const ca = join(dataDir, 'tls', 'ca.crt')
    const get = async (path: string): Promise<string> =>
      (await run('curl', ['--silent', '--show-error', '--cacert', ca, '--output', '-', '--write-out', '\n%{http_code}', `${server}${path}`])).stdout

    assert.match(await get('/readyz'), /200$/)
    assert.match(await get('/console/'), /<title>.*\n200$/s)
    assert.match(await kubectl(kubeconfig).ok('version'), /Server Version: v1\.\d+\.\d+/)
  })

  test('a second start on the same folder is refused in one line', async () => {
    const { dataDir } = world().gantry
    assertRefused(await up(dataDir), /^error: .*another/)
  })

  test('a port that is taken is named', async () => {
    const listener = createServer()
    await new Promise<void>((listening) => listener.listen(0, '127.0.0.1', listening))
    const { port } = listener.address() as AddressInfo
    try {
      assertRefused(await up(join(world().dir, 'taken'), port), new RegExp(`^error: the port 127\\.0\\.0\\.1:${port} is taken`))
    } finally {
      await new Promise((closed) => listener.close(closed))
    }
  })

  test('a folder that cannot be made or written is named', async () => {
    const file = join(world().dir, 'file')
    await writeFile(file, '')
    assertRefused(await up(file), /^error: the data folder .*\/file cannot be used: there is a file in the way/)
    assertRefused(await up(join(file, 'below')), /^error: the data folder .*\/file\/below cannot be used: there is a file in the way/)
    // Not even root may make a folder here.
    assertRefused(await up('/sys/gantry-e2e'), /^error: the data folder \/sys\/gantry-e2e cannot be used: /)
  })

  test('a user who is not root is told about a folder of somebody else, and gets a simulated node in one of their own', async (t) => {
    const asNobody = ['--reuid', String(nobody), '--regid', String(nobody), '--clear-groups', '--no-new-privs']
    const launcher = fileURLToPath(new URL('../../gantry', import.meta.url))
    const env = { HOME: '/nonexistent', GANTRY_QUIET: '1' }
    if (process.getuid?.() !== 0) return t.skip('this run is not root, so it cannot become somebody else')
    if ((await run('setpriv', [...asNobody, launcher, 'version'], { env })).code !== 0) return t.skip('the checkout stands where only root may read')
    await chmod(world().dir, 0o755)
    const ours = join(world().dir, 'of-root')
    const theirs = join(world().dir, 'of-nobody')
    for (const folder of [ours, theirs]) await mkdir(folder, { mode: 0o700 })
    await chown(theirs, nobody, nobody)

    assertRefused(
      await run('setpriv', [...asNobody, launcher, 'up', '--data', ours, '--listen', `127.0.0.1:${await freePort()}`], { env, withinMs: refuseWithinMs }),
      /^error: the data folder .*\/of-root cannot be used: it may not be written by this user/,
    )
    await using platform = start('setpriv', [...asNobody, launcher, 'up', '--data', theirs, '--listen', `127.0.0.1:${await freePort()}`], { env })
    await platform.says(/^ready/m)
    assert.match(platform.stdout(), /node +simulated/)
    const nodes = await kubectl(join(theirs, 'admin.kubeconfig')).ok('get', 'nodes')
    assert.match(nodes, / Ready /)
    assert.equal((await platform.end('SIGINT', stopWithinMs)).code, 0)
  })

  test('a broken database is named, and left as it is', async () => {
    const dataDir = join(world().dir, 'broken')
    await mkdir(dataDir)
    const database = join(dataDir, 'gantry.db')
    const garbage = 'this is no database '.repeat(500)
    await writeFile(database, garbage)
    assertRefused(await up(dataDir), /^error: .*gantry\.db/)
    assert.equal(await readFile(database, 'utf8'), garbage)
  })

  test('Ctrl-C stops it within seconds, and the next start has the same data, key and password', async () => {
    const before = world().gantry
    const [password, kubeconfig] = [await before.password(), await readFile(before.kubeconfig, 'utf8')]
    await kubectl(before.kubeconfig).ok('create', 'configmap', 'kept', '--from-literal', 'color=blue')

    const stopping = performance.now()
    const { code, stderr } = await before.stop()
    const stoppedMs = performance.now() - stopping
    const again = await world().start('gantry', moreNodes)
    world().adopt(again)
    note(`stopped in ${Math.round(stoppedMs)} ms, ready again after ${Math.round(again.readyMs)} ms`)

    assert.equal(code, 0, stderr)
    assert.doesNotMatch(stderr, /error|warn/i)
    assert.ok(stoppedMs < stopWithinMs, `stopping took ${stoppedMs} ms`)
    assert.equal(await again.password(), password)
    assert.ok(!again.banner.includes(password))
    assert.equal(await readFile(again.kubeconfig, 'utf8'), kubeconfig)
    assert.equal(await kubectl(again.kubeconfig).ok('get', 'configmap', 'kept', '-o', 'jsonpath={.data.color}'), 'blue')
  })

  test('a damaged page in a database that was whole is named too', async () => {
    const dataDir = join(world().dir, 'damaged')
    await mkdir(dataDir)
    const database = join(dataDir, 'gantry.db')
    const { stdout } = await run('ls', [world().gantry.dataDir])
    assert.match(stdout, /gantry\.db/)
    await copyFile(join(world().gantry.dataDir, 'gantry.db'), database)
    await using handle = await open(database, 'r+')
    const { size } = await handle.stat()
    await handle.write(Buffer.alloc(Math.min(size - 4_096, 16_384), 0xa5), 0, undefined, 4_096)
    assertRefused(await up(dataDir), /^error: .*gantry\.db/)
  })
}
