import assert from 'node:assert/strict'
import { appendFile, mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { formatHead, type AuditHead, type AuditRecord } from '@gantry/audit/api'
import { verifyFolder, type AuditLog } from '@gantry/audit/server'
import { createLogger } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import { event, keepAll, never, openLog, scratchFolder, searchOf, TestDisk, writeAll } from './scratch.ts'

const verify = (dir: string, anchors?: readonly AuditHead[]) => verifyFolder({ clock: new FakeClock() }, dir, { anchors, signal: never })

async function segmentsIn(dir: string): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.endsWith('.jsonl')).sort()
}

async function recordsIn(dir: string): Promise<AuditRecord[]> {
  const texts = await Promise.all((await segmentsIn(dir)).map((name) => readFile(join(dir, name), 'utf8')))
  return texts.flatMap((text) => text.split('\n').slice(0, -1)).map((line) => JSON.parse(line) as AuditRecord)
}

const many = (count: number, from = 0) => Array.from({ length: count }, (_, at) => event({ name: `pod-${from + at}` }))

describe('the audit log', () => {
  test('writes records that follow from one another, in files for the owner alone', async () => {
    await using dir = await scratchFolder()
    await using log = await openLog(dir.path)
    await writeAll(log, many(3))

    const records = await recordsIn(dir.path)
    assert.deepEqual(
      records.map(({ seq, note }) => [seq, note]),
      [
        [1, 'segment'],
        [2, undefined],
        [3, undefined],
        [4, undefined],
      ],
    )
    assert.deepEqual(log.head, { seq: 4, hash: records[3]?.hash })
    assert.equal((await stat(join(dir.path, '0000000000000001.jsonl'))).mode & 0o777, 0o600)
    assert.deepEqual(await verify(dir.path), { intact: true, segments: 1, records: 4, from: { seq: 1, hash: records[0]?.hash }, to: log.head })
  })

  test('goes on with the chain after a restart, in the same segment', async () => {
    await using dir = await scratchFolder()
    for (let run = 0; run < 3; run++) {
      await using log = await openLog(dir.path)
      await writeAll(log, many(2))
    }

    assert.deepEqual(await segmentsIn(dir.path), ['0000000000000001.jsonl'])
    assert.equal((await verify(dir.path)).records, 7)
    assert.ok((await verify(dir.path)).intact)
  })

  test('begins a segment with the last hash of the one before, and seals that one with a summary', async () => {
    await using dir = await scratchFolder()
    await using log = await openLog(dir.path, { segmentBytes: 1_000 })
    for (let batch = 0; batch < 4; batch++) await writeAll(log, many(5, batch * 5))

    const records = await recordsIn(dir.path)
    const starts = records.filter((record) => record.note === 'segment')
    assert.equal(starts.length, 4)
    for (const start of starts.slice(1)) assert.equal(start.previous, records[start.seq - 2]?.hash)
    assert.equal((await readdir(dir.path)).filter((name) => name.endsWith('.summary.json')).length, 3)
    assert.ok((await verify(dir.path)).intact)
  })

  test('closes a last line that a crash has torn, and says what of it was there', async () => {
    await using dir = await scratchFolder()
    {
      await using log = await openLog(dir.path)
      await writeAll(log, many(2))
    }
    await appendFile(join(dir.path, '0000000000000001.jsonl'), '{"seq":4,"time":"2026-')
    assert.ok((await verify(dir.path)).intact, 'before it is opened again, the torn end counts as unwritten')
    await using log = await openLog(dir.path)
    await writeAll(log, many(1))

    const torn = (await recordsIn(dir.path))[3]
    assert.ok(torn?.note === 'torn')
    assert.deepEqual([torn.seq, torn.bytes, torn.text], [4, 22, '{"seq":4,"time":"2026-'])
    assert.deepEqual((await verify(dir.path)).to, log.head)
  })

  test('starts over a segment that a crash has left without a record', async () => {
    await using dir = await scratchFolder()
    {
      await using log = await openLog(dir.path)
      await writeAll(log, many(2))
    }
    await writeFile(join(dir.path, '0000000000000004.jsonl'), '{"seq":4,"ti')
    await using log = await openLog(dir.path)
    await writeAll(log, many(1))

    assert.deepEqual(await segmentsIn(dir.path), ['0000000000000001.jsonl'])
    assert.deepEqual([(await verify(dir.path)).intact, log.head.seq], [true, 4])
  })

  test('goes on in a new segment when the end of the last one was changed, and verifying names that place', async () => {
    await using dir = await scratchFolder()
    {
      await using log = await openLog(dir.path)
      await writeAll(log, many(2))
    }
    const file = join(dir.path, '0000000000000001.jsonl')
    await writeFile(file, (await readFile(file, 'utf8')).replace('pod-1', 'pod-9'))
    await using log = await openLog(dir.path)
    await writeAll(log, many(1))

    assert.equal((await segmentsIn(dir.path)).length, 2)
    assert.deepEqual((await verify(dir.path)).problem, {
      segment: '0000000000000001.jsonl',
      line: 3,
      seq: 3,
      message: 'its hash does not follow: this record or the one before was changed',
    })
  })

  test('removes whole segments that are too old or too much, and stays verifiable from the oldest kept', async () => {
    await using dir = await scratchFolder()
    const clock = new FakeClock()
    await using log = await openLog(dir.path, { clock, segmentBytes: 2_000, retention: { ...keepAll, maxBytes: 7_000 } })
    for (let batch = 0; batch < 8; batch++) await writeAll(log, many(5, batch * 5))

    const kept = await segmentsIn(dir.path)
    assert.notEqual(kept[0], '0000000000000001.jsonl')
    const report = await verify(dir.path, [{ seq: 2, hash: 'f'.repeat(64) }])
    assert.deepEqual([report.intact, report.unchecked], [true, [2]])
    assert.equal(report.from?.seq, Number(kept[0]?.slice(0, 16)))
    const removed = (await recordsIn(dir.path)).filter((record) => record.note === 'removed')
    assert.equal(removed.at(-1)?.toSeq, (report.from?.seq ?? 0) - 1)
    assert.deepEqual((await readdir(dir.path)).filter((name) => name.endsWith('.summary.json')).length, kept.length - 1, 'nothing of a removed segment stays')
  })

  test('seals a segment a day after it began, so that age finds something to remove', async () => {
    await using dir = await scratchFolder()
    const clock = new FakeClock(new Date().toISOString())
    await using log = await openLog(dir.path, { clock, retention: { ...keepAll, maxAgeMs: 24 * 3_600_000 } })
    for (let day = 0; day < 4; day++) {
      await writeAll(log, many(1))
      await clock.advance(25 * 3_600_000)
    }
    await writeAll(log, many(1))

    assert.ok((await segmentsIn(dir.path)).length <= 2)
    assert.ok((await verify(dir.path)).intact)
  })

  test('says which folder cannot be used', async () => {
    await using dir = await scratchFolder()
    await writeFile(join(dir.path, 'file'), '')

    await assert.rejects(openLog(join(dir.path, 'file')), /the audit log in .*file cannot be opened: there is a file in the way/)
    await mkdir(join(dir.path, 'folder'))
  })
})

describe('a disk that is full or slow', () => {
  async function onTestDisk(dir: string, options: { readonly waitingBytes?: number } = {}) {
    const clock = new FakeClock()
    const disk = new TestDisk()
    const said: { readonly level: string; readonly message: string }[] = []
    const logger = createLogger({ clock, write: (line) => said.push(JSON.parse(line) as { level: string; message: string }) }, { level: 'info' })
    const log = await openLog(dir, { clock, disk, log: logger, ...options })
    return { clock, disk, said, log }
  }

  /** Lets the real files do their work between steps of the fake time. */
  async function advanceUntil(clock: FakeClock, isDone: () => boolean): Promise<void> {
    for (let step = 0; step < 1_000 && !isDone(); step++) await clock.advance(100)
    assert.ok(isDone(), 'it does not come to that')
  }

  test('is told once, loses nothing that fits into memory, and leaves no trace in the chain', async () => {
    await using dir = await scratchFolder()
    const { clock, disk, said, log } = await onTestDisk(dir.path)
    await using _ = log
    disk.fillUp(100)
    for (const one of many(10)) log.write(one)
    await advanceUntil(clock, () => disk.writes > 4)
    disk.free()
    await advanceUntil(clock, () => said.length === 2)

    assert.deepEqual(
      said.map(({ level, message }) => [level, message]),
      [
        ['error', 'the audit log cannot be written; requests go on and are counted'],
        ['info', 'the audit log is written again'],
      ],
    )
    const report = await verify(dir.path)
    assert.deepEqual([report.intact, report.records], [true, 11])
  })

  test('keeps nobody from starting after a crash: the torn end is told of once there is space', async () => {
    await using dir = await scratchFolder()
    {
      await using before = await openLog(dir.path)
      await writeAll(before, many(2))
    }
    const [segment = ''] = await segmentsIn(dir.path)
    await appendFile(join(dir.path, segment), '{"seq":4,"time":"2026-')
    const clock = new FakeClock()
    const disk = new TestDisk()
    disk.fillUp(0)
    await using log = await openLog(dir.path, { clock, disk })
    for (const one of many(1)) log.write(one)
    await advanceUntil(clock, () => disk.writes > 2)
    disk.free()
    await advanceUntil(clock, () => log.head.seq === 5)

    const records = await recordsIn(dir.path)
    assert.deepEqual(records.flatMap(({ note }) => (note === undefined ? [] : [note])).toSorted(), ['segment', 'torn'])
    assert.ok((await verify(dir.path)).intact)
  })

  test('costs what does not fit into memory, and how many were lost is on record when it works again', async () => {
    await using dir = await scratchFolder()
    const { clock, disk, log } = await onTestDisk(dir.path, { waitingBytes: 10_000 })
    await using _ = log
    disk.fillUp(50)
    for (const one of many(5)) log.write(one)
    await advanceUntil(clock, () => disk.writes > 1)
    for (const one of many(100)) log.write(one)
    const { lost } = log
    disk.free()
    await advanceUntil(clock, () => log.head.seq === 1 + 105 - lost + 1)

    assert.ok(lost > 80 && lost < 100, `${lost} lost`)
    const last = (await recordsIn(dir.path)).at(-1)
    assert.ok(last?.note === 'loss')
    assert.equal(last.lost, lost)
    assert.ok((await verify(dir.path)).intact)
    assert.equal(log.lost, 0)
  })
})

describe('verifying', () => {
  async function written(dir: string): Promise<AuditLog> {
    const log = await openLog(dir, { segmentBytes: 2_000 })
    for (let batch = 0; batch < 4; batch++) await writeAll(log, many(5, batch * 5))
    await log[Symbol.asyncDispose]()
    return log
  }

  const first = '0000000000000001.jsonl'
  const second = '0000000000000012.jsonl'
  for (const [name, tamper, segment, line, message] of [
    ['a changed record', (lines: string[]) => lines.with(2, lines[2]?.replace('admin', 'nobody') ?? ''), first, 3, /its hash does not follow/],
    ['a removed record', (lines: string[]) => lines.toSpliced(2, 1), first, 3, /it should be number 3: records are missing/],
    ['two records in the other order', (lines: string[]) => lines.with(2, lines[3] ?? '').with(3, lines[2] ?? ''), first, 3, /it should be number 3/],
    ['a record put in twice', (lines: string[]) => lines.toSpliced(2, 0, lines[2] ?? ''), first, 4, /it should be number 4/],
    ['a line that is no record', (lines: string[]) => lines.with(2, 'rm -rf'), first, 3, /this is no record/],
    ['records cut off the end of a sealed segment', (lines: string[]) => lines.slice(0, 4), second, 1, /does not name the last record of the segment before/],
  ] as const) {
    test(`names the first place that breaks: ${name}`, async () => {
      await using dir = await scratchFolder()
      await written(dir.path)
      const file = join(dir.path, first)
      const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1)
      await writeFile(file, `${tamper(lines).join('\n')}\n`)

      const { intact, problem } = await verify(dir.path)
      assert.deepEqual([intact, problem?.segment, problem?.line], [false, segment, line])
      assert.match(problem?.message ?? '', message)
    })
  }

  test('finds a whole log that was written anew, or cut short, by an anchor that was kept elsewhere', async () => {
    await using dir = await scratchFolder()
    await using other = await scratchFolder()
    const anchor = (await written(dir.path)).head
    const forged = await openLog(other.path, { segmentBytes: 2_000 })
    for (let batch = 0; batch < 4; batch++) await writeAll(forged, many(5, 100 + batch))
    await forged[Symbol.asyncDispose]()
    assert.deepEqual([(await verify(other.path)).intact, (await verify(other.path, [anchor])).intact], [true, false])

    const last = join(dir.path, (await segmentsIn(dir.path)).at(-1) ?? '')
    assert.ok((await verify(dir.path, [anchor])).intact, formatHead(anchor))
    const text = await readFile(last, 'utf8')
    await truncate(last, text.lastIndexOf('\n', text.length - 2) + 1)
    assert.deepEqual(
      [(await verify(dir.path)).intact, (await verify(dir.path, [anchor])).problem?.message],
      [true, 'the record of the anchor is missing: the log was cut short'],
    )
  })
})

test('a summary that was lost is made again from the segment', async () => {
  await using dir = await scratchFolder()
  await using log = await openLog(dir.path, { segmentBytes: 2_000 })
  for (let batch = 0; batch < 4; batch++) await writeAll(log, many(5, batch * 5))
  const summary = join(dir.path, '0000000000000001.summary.json')
  const before = await readFile(summary, 'utf8')
  await writeFile(summary, '{"torn')
  await searchOf(log).page({ name: 'pod-1' }, { limit: 1, signal: never })

  assert.deepEqual(JSON.parse(await readFile(summary, 'utf8')), JSON.parse(before))
})
