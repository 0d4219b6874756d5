import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gantry, startTestPlatform } from './testing/test-platform.ts'

// What a new user gets wrong: one line each that names the file or the option, and what to do; never the words of the system alone.
describe('wrong input', () => {
  let root = ''
  let used = ''
  let backup = ''
  const at = (name: string): string => join(root, name)
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'gantry-wrong-'))
    used = at('used')
    backup = at('backup.db')
    await writeFile(at('file'), '')
    await writeFile(at('junk'), 'not yaml: [')
    await mkdir(at('folder'))
    await (await startTestPlatform(used))[Symbol.asyncDispose]()
    assert.equal((await gantry(used, 'backup', '--to', backup)).code, 0)
  })
  after(() => rm(root, { recursive: true }))

  const refused = async (message: string | RegExp, dir: string, ...argv: string[]): Promise<void> => {
    const { code, out, err } = await gantry(dir, ...argv)
    const told = err.replaceAll(root, 'ROOT')
    assert.match(told, /^error: [^\n]+\n$/)
    assert.notEqual(code, 0)
    assert.equal(out, '')
    if (typeof message === 'string') assert.equal(told, `error: ${message}\n`)
    else assert.match(told, message)
    assert.doesNotMatch(told, /E[A-Z]{4,}:/)
  }
  /** A copy of the used folder in which something is wrong. */
  const spoiled = async (name: string, spoil: (dir: string) => Promise<void>): Promise<string> => {
    await cp(used, at(name), { recursive: true })
    await spoil(at(name))
    return at(name)
  }
  const up = ['up', '--node', 'none', '--listen', '0'] as const

  test('files that options name, before anything is made', async () => {
    const dir = at('new')
    for (const option of ['authentication-config', 'authorization-config', 'token-webhook', 'audit-policy-file', 'audit-webhook-config-file']) {
      const policy = option === 'audit-webhook-config-file' ? ['--audit-policy-file', at('junk')] : []
      await refused(`--${option} ROOT/nosuch cannot be read: there is no such file`, dir, ...up, ...policy, `--${option}`, at('nosuch'))
      await refused(`--${option} ROOT/folder cannot be read: it is a folder`, dir, ...up, ...policy, `--${option}`, at('folder'))
      await refused(`--${option} ROOT/file/x cannot be read: a part of its path is a file`, dir, ...up, ...policy, `--${option}`, at('file/x'))
    }
    await refused('--backup-dir ROOT/file cannot be used: there is a file in the way', dir, ...up, '--backup-dir', at('file'))
    await assert.rejects(readdir(dir))
  })

  test('files that hold something else', async () => {
    const dir = at('other')
    for (const option of ['authentication-config', 'authorization-config', 'token-webhook'])
      await refused(/^error: ROOT\/junk: .*(yaml|YAML).*\n$/, dir, ...up, `--${option}`, at('junk'))
  })

  test('a data folder in which something is damaged or in the way', async () => {
    await refused('the data folder ROOT/file cannot be used: there is a file in the way; choose another one with --data DIR', at('file'), ...up)
    await refused(
      /^error: ROOT\/keyless\/service-account.key holds no private key in PEM: put a copy of it back/,
      await spoiled('keyless', (dir) => writeFile(join(dir, 'service-account.key'), 'junk')),
      ...up,
    )
    await refused(
      'ROOT/caless/tls/ca.crt holds no certificate in PEM: put a copy of it back, or move ROOT/caless/tls/ca.crt and ROOT/caless/tls/ca.key away and new ones are made',
      await spoiled('caless', (dir) => writeFile(join(dir, 'tls/ca.crt'), 'junk')),
      ...up,
    )
    await refused(
      'the log ROOT/logless/log/gantry.log cannot be opened: ROOT/logless/log is a file and no folder',
      await spoiled('logless', (dir) => writeFile(join(dir, 'log'), '')),
      ...up,
    )
    await refused(
      'the audit log in ROOT/auditless/audit cannot be opened: there is a file in the way',
      await spoiled('auditless', async (dir) => {
        await rm(join(dir, 'audit'), { recursive: true })
        await writeFile(join(dir, 'audit'), '')
      }),
      ...up,
    )
  })

  test('backups that cannot be made', async () => {
    await refused(/^error: --to FILE is needed\n$/, used, 'backup')
    await refused('ROOT/backup.db is there already: choose another name', used, 'backup', '--to', backup)
    await refused('ROOT/nosuch/b.db cannot be written: the folder ROOT/nosuch does not exist', used, 'backup', '--to', at('nosuch/b.db'))
    await refused('ROOT/nosuch/gantry.db does not exist', at('nosuch'), 'backup', '--to', at('b.db'))
  })

  test('what cannot be restored, and leaves no data file behind', async () => {
    const dir = at('restored')
    const bytes = await readFile(backup)
    await writeFile(at('cut.db'), bytes.subarray(0, 50_000))
    await writeFile(at('flipped.db'), Buffer.from(bytes).fill('X', bytes.length >> 1)) // more than could be free space
    await refused('ROOT/nosuch.db does not exist', dir, 'restore', '--from', at('nosuch.db'))
    await refused('ROOT/folder cannot be used: it is a folder, name a file', dir, 'restore', '--from', at('folder'))
    for (const name of ['junk', 'cut.db', 'flipped.db'])
      await refused(
        new RegExp(`^error: ROOT/${name} is damaged or is no data file of Gantry \\(.*\\): take another backup, or keep what is whole`),
        dir,
        'restore',
        '--from',
        at(name),
      )
    await refused('the data folder ROOT/file cannot be made: there is a file in the way', at('file'), 'restore', '--from', backup)
    await refused(/^error: ROOT\/used\/gantry.db is there already, of a Gantry that runs or has run: stop it/, used, 'restore', '--from', backup)
    assert.deepEqual(await readdir(dir), [])
  })

  test('of a running platform: its data file, and where it should be exported to', async () => {
    const dir = at('running')
    await using _platform = await startTestPlatform(dir)
    await refused(
      /^error: ROOT\/running\/gantry.db is in use: a Gantry that runs on it makes backups itself/,
      at('more'),
      'restore',
      '--from',
      join(dir, 'gantry.db'),
    )
    await refused(/is in use by another process: stop the other Gantry/, dir, ...up)
    await refused(/^error: name where to export to/, dir, 'export')
    await refused(/^error: --dry-run is about another cluster/, dir, 'export', '--to', at('out'), '--dry-run')
    await refused(/^error: namespaces "nosuch" not found/, dir, 'export', '--to', at('out'), '--namespaces', 'default,nosuch')
    await refused(/^error: cannot read ROOT\/nosuch: there is no such file/, dir, 'export', '--to-kubeconfig', at('nosuch'))
    await refused(/^error: ROOT\/junk: the kubeconfig cannot be used: it is not YAML/, dir, 'export', '--to-kubeconfig', at('junk'))
    const refusedContext = await gantry(dir, 'export', '--to-kubeconfig', join(dir, 'admin.kubeconfig'), '--context', 'nope')
    assert.match(refusedContext.err, /it has no context "nope"; it has "local"/)
    const inTheWay = await gantry(dir, 'export', '--to', at('file'))
    assert.match(inTheWay.err.replaceAll(root, 'ROOT'), /\nerror: the folder ROOT\/file cannot be made: there is a file in the way\n$/)
  })
})
