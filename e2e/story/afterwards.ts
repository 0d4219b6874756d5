import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { AuditRecord } from '@gantry/audit/api'
import { ownPassword } from '../gantry-process.ts'
import type { World } from './world.ts'

/** What a run leaves behind for whoever looks into it later. */
export function afterwardsStory(world: () => World): void {
  test('no log holds a password, a token or a key', async () => {
    const { dataDir, kubeconfig } = world().gantry
    const folders = [join(dataDir, 'log'), join(dataDir, 'audit')]
    const files = (await Promise.all(folders.map(async (folder) => (await readdir(folder, { withFileTypes: true })).filter((one) => one.isFile())))).flat()
    const texts = await Promise.all(files.map(({ parentPath, name }) => readFile(join(parentPath, name), 'utf8')))
    const key = /token: (\S+)/.exec(await readFile(kubeconfig, 'utf8'))?.[1] ?? ''
    const edgeKey = /token: (\S+)/.exec(await readFile(join(world().dir, 'edge.kubeconfig'), 'utf8'))?.[1] ?? ''
    const { admin = '', restricted = '' } = world().real?.tokens ?? {}
    const secrets = { password: ownPassword, key, edgeKey, admin, restricted }

    assert.ok(texts.join('').length > 1_000, 'the logs are too short to have been written at all')
    for (const [name, secret] of Object.entries(secrets)) {
      assert.ok(secret.length >= 16, `there is no ${name} to look for`)
      assert.ok(!texts.some((text) => text.includes(secret)), `a log holds the ${name}`)
    }
  })

  test('the audit log says who changed what in which cluster', async () => {
    const text = await readFile(join(world().gantry.dataDir, 'audit', '0000000000000001.jsonl'), 'utf8')
    const creations = text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as AuditRecord)
      .filter((record) => record.note === undefined)
      .filter(({ cluster, verb, resource }) => cluster === 'prod' && verb === 'create' && resource === 'configmaps')

    // The second one was refused by the cluster: its name was none.
    assert.deepEqual(
      creations.map(({ user, status }) => [user, status]),
      [
        ['admin', 201],
        ['admin', 422],
      ],
    )
  })
}
