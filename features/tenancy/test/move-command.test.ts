import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { runCommandLine } from '@gantry/cli-kit'
import { readWholeBody } from '@gantry/runtime'
import { namespaceCommands } from '@gantry/tenancy/cli'
import { assertMoved, bank, find, original, serve, shop, start } from './test-move.ts'
import { namespaces, type TestTenancy } from './test-tenancy.ts'

interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** A command as somebody types it; time passes until it ends. */
function gantry(platform: TestTenancy, user: string, ...argv: readonly string[]): Promise<Said> {
  return gantryThen(platform, user, { argv, answered: () => Promise.resolve() })
}

/** `answered` is done when the platform has answered, before the command goes on. */
async function gantryThen(
  platform: TestTenancy,
  user: string,
  { argv, answered }: { readonly argv: readonly string[]; readonly answered: () => Promise<void> },
): Promise<Said> {
  let [out, err] = ['', '']
  let isDone = false
  const commands = namespaceCommands({ clock: platform.clock })
  const done = runCommandLine({ program: 'gantry', summary: '', globalOptions: {}, commands }, argv, {
    context: () => ({
      signal: new AbortController().signal,
      connect: () =>
        Promise.resolve({
          server: 'https://gantry.test',
          hub: platform.hub,
          call: async (method, path, { body }) => {
            const answer = (await readWholeBody(await serve(platform, { user, method, path, body }))).toString()
            await answered()
            return JSON.parse(answer) as unknown
          },
          [Symbol.asyncDispose]: () => Promise.resolve(),
        }),
      readFile: () => Promise.reject(new Error('no files')),
      print: () => Promise.resolve(),
      note: () => {},
    }),
    out: (text) => (out += text),
    err: (text) => (err += text),
  }).finally(() => (isDone = true))
  while (!isDone) await platform.clock.advance(100)
  return { code: await done, out, err }
}

describe('gantry namespaces move', () => {
  test('says whether it could be moved, moves it, and where it is then', async () => {
    await using platform = await start()
    const before = await original(platform)
    assert.deepEqual(await gantry(platform, 'tom', 'namespaces', 'move', 'acme/shop', 'db', 'acme/bank', '--dry-run'), {
      code: 0,
      out: 'the namespace db of cluster one can move from acme/shop to acme/bank\n',
      err: '',
    })
    await platform.idle()
    assert.equal(await find(platform, bank), undefined)
    assert.deepEqual(await gantry(platform, 'tom', 'namespaces', 'move', 'acme/shop', 'db', 'acme/bank'), {
      code: 0,
      out: 'the namespace db of cluster one is moving from acme/shop to acme/bank; gantry namespaces list acme/bank shows when it is there\n',
      err: '',
    })
    await platform.idle()
    await assertMoved(platform, before)
    assert.match((await gantry(platform, 'tom', 'namespaces', 'list', 'acme/bank')).out, /acme\/bank +db +one +db +Ready/)
    const again = await gantry(platform, 'tom', 'namespaces', 'move', 'acme/shop', 'db', '--cancel')
    assert.deepEqual([again.code, again.out], [1, ''])
    assert.match(again.err, /there is no ProjectNamespace project-acme--shop\/db: if it has moved, it is in the other project now, and can be moved back/)
  })

  test('--cancel waits for the cluster, and says that it stays', async () => {
    await using platform = await start()
    await platform.setReady('one', 'False', 'connection refused')
    await gantry(platform, 'tom', 'namespaces', 'move', 'acme/shop', 'db', 'acme/bank')
    await platform.idle()
    assert.deepEqual(await gantry(platform, 'ann', 'namespaces', 'move', 'acme/shop', 'db', '--cancel'), {
      code: 0,
      out: 'the namespace db of cluster one stays in acme/shop\n',
      err: '',
    })
    const over = await gantry(platform, 'ann', 'namespaces', 'move', 'acme/shop', 'db', '--cancel')
    assert.deepEqual([over.code, /project-acme--shop\/db is not moving/.test(over.err)], [1, true], over.err)
  })

  test('--cancel ends with 1, and says why, when the cluster does not answer in time, or it has come too late', async () => {
    await using platform = await start()
    const before = await original(platform)
    // The platform and its cluster go when the new object may take the namespace, and has not.
    platform.atWrite(async () => {
      if ((await find(platform, shop))?.status?.move?.phase !== 'NewCreated') return undefined
      await platform.setReady('one', 'False', 'connection refused')
      return 'before'
    })
    await gantry(platform, 'tom', 'namespaces', 'move', 'acme/shop', 'db', 'acme/bank')
    await platform.idle()
    platform.atWrite(undefined)
    await platform.restart()
    await platform.idle()
    assert.equal((await find(platform, shop))?.status?.move?.phase, 'NewCreated')
    const waiting = await gantry(platform, 'ann', 'namespaces', 'move', 'acme/shop', 'db', '--cancel')
    assert.deepEqual([waiting.code, waiting.err], [1, ''])
    assert.match(waiting.out, /is to stay in acme\/shop, which is not certain yet: ClusterUnreachable: .*connection refused\. It goes on by itself/)

    const { uid } = (await platform.namespace(bank, 'db')).metadata
    const labels = { 'tenancy.gantry.dev/uid': uid, 'tenancy.gantry.dev/project': 'bank' }
    await platform.member('one').client.patch(namespaces, { name: 'db' }, { type: 'merge', body: { metadata: { labels } } })
    const argv = ['namespaces', 'move', 'acme/shop', 'db', '--cancel']
    const late = await gantryThen(platform, 'ann', { argv, answered: () => platform.setReady('one', 'True') })
    assert.deepEqual(late, {
      code: 1,
      out: 'too late: the namespace db of cluster one is in acme/bank now; "gantry namespaces move acme/bank db acme/shop" moves it back\n',
      err: '',
    })
    await platform.idle()
    await assertMoved(platform, before)
  })

  test('names what is wrong with what was typed, and what the platform refuses', async () => {
    await using platform = await start()
    for (const [argv, code, message] of [
      [['acme/shop', 'db'], 2, /a third name is missing: the project it is to move to, as TENANT\/PROJECT/],
      [['acme/shop', 'db', 'bank'], 2, /"bank" is no project: write TENANT\/PROJECT/],
      [['shop', 'db', 'acme/bank'], 2, /"shop" is no project/],
      [['acme/shop', 'db', 'acme/bank', '--cancel'], 2, /--cancel takes the project and the name, and nothing else/],
      [['acme/shop', 'db', '--cancel', '--dry-run'], 2, /--cancel takes the project and the name, and nothing else/],
      [['acme/shop', 'db', 'acme/shop'], 1, /is in acme\/shop already/],
      [['acme/shop', 'db', 'other/bank'], 1, /can move to another project of that tenant, not to other/],
      [['acme/shop', 'db', 'acme/none'], 1, /may not make ProjectNamespaces in the project acme\/none/],
      [['acme/shop', 'nothing', 'acme/bank'], 1, /not found/],
      [['acme/shop', 'db', '--cancel'], 1, /is not moving/],
    ] as const) {
      const said = await gantry(platform, 'tom', 'namespaces', 'move', ...argv)
      assert.deepEqual([argv, said.code, said.out], [argv, code, ''])
      assert.match(said.err, message)
    }
    const refused = await gantry(platform, 'bob', 'namespaces', 'move', 'acme/shop', 'db', '--cancel')
    assert.deepEqual([refused.code, /user "bob" may delete/.test(refused.err)], [1, true], refused.err)
  })
})
