import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Command, CommandContext } from './command.ts'
import { formatAge, formatOutput } from './output.ts'
import { runCommandLine, type CommandLine } from './run-command-line.ts'
import { nearest } from './usage-error.ts'

const context: CommandContext = {
  signal: new AbortController().signal,
  connect: () => Promise.reject(new Error('not connected')),
  readFile: () => Promise.resolve(''),
  note: () => {},
  print: () => Promise.resolve(),
}

async function run(
  argv: readonly string[],
  command: Partial<Command> = {},
): Promise<{ code: number; out: string; err: string; options: unknown; positionals: unknown }> {
  let seen: unknown = {}
  const line: CommandLine = {
    program: 'tool',
    summary: 'A tool',
    globalOptions: { data: { type: 'string', value: 'DIR', description: 'Folder' } },
    commands: [
      {
        name: 'thing make',
        summary: 'Make a thing',
        positionals: ['NAME', '[OTHER]'],
        options: { size: { type: 'string', value: 'N', description: 'How big' }, fast: { type: 'boolean', description: 'Now' } },
        run(input) {
          seen = { options: { ...input.options }, positionals: input.positionals }
          return Promise.resolve({ kind: 'text', text: 'made' })
        },
        ...command,
      },
      { name: 'thing list', summary: 'List them', run: () => Promise.resolve(undefined) },
    ],
  }
  let [out, err] = ['', '']
  const code = await runCommandLine(line, argv, { context: () => context, out: (text) => (out += text), err: (text) => (err += text) })
  return { code, out, err, ...(seen as { options: unknown; positionals: unknown }) }
}

describe('a command line', () => {
  test('takes the longest name of a command that fits', async () => {
    assert.deepEqual((await run(['thing', 'part', 'make', 'a'], { name: 'thing part make' })).positionals, ['a'])
    assert.deepEqual((await run(['thing', 'part', 'a'], { name: 'thing part' })).positionals, ['a'])
  })

  test('gives a command its options and positionals in any order', async () => {
    const { code, out, options, positionals } = await run(['thing', 'make', '--size', '3', 'a', '--fast', '--data=d'])

    assert.equal(code, 0)
    assert.equal(out, 'made\n')
    assert.deepEqual(options, { size: '3', fast: true, data: 'd' })
    assert.deepEqual(positionals, ['a'])
  })

  for (const [name, argv, message] of [
    ['an unknown command', ['thnig', 'make'], 'unknown command "thnig": did you mean "thing"?'],
    ['an unknown verb', ['thing', 'mak', 'x'], 'unknown command "thing mak": did you mean "thing make"?'],
    ['a group without its verb', ['thing'], '"tool thing" needs one of: make, list'],
    ['an unknown option', ['thing', 'make', 'a', '--szie', '3'], 'unknown option "--szie" of "thing make": did you mean "--size"?'],
    ['an option without its value', ['thing', 'make', 'a', '--size'], 'the option "--size" needs a value (N)'],
    ['an option that eats another', ['thing', 'make', 'a', '--size', '--fast'], 'the option "--size" needs a value (N), "--fast" looks like another option'],
    ['a value for a switch', ['thing', 'make', 'a', '--fast=1'], 'the option "--fast" takes no value'],
    ['a missing positional', ['thing', 'make'], '"tool thing make" needs NAME: tool thing make NAME [OTHER]'],
    ['a positional too much', ['thing', 'make', 'a', 'b', 'c'], '"c" is too much for "tool thing make NAME [OTHER]"'],
    ['an unknown format', ['thing', 'make', 'a', '-o', 'xml'], 'unknown output format "xml": it is one of table, json, yaml, name'],
  ] as const) {
    test(`refuses ${name} with exit code 2 and what was meant`, async () => {
      const { code, err } = await run(argv)

      assert.equal(code, 2)
      assert.equal(err, `error: ${message}\n`)
    })
  }

  test('answers a failed command with exit code 1 and one line', async () => {
    const { code, err, out } = await run(['thing', 'make', 'a'], { run: () => Promise.reject(new Error('first\n  second')) })

    assert.equal(code, 1)
    assert.equal(err, 'error: first; second\n')
    assert.equal(out, '')
  })

  test('shows an overview, and help for each command', async () => {
    for (const argv of [[], ['help'], ['--help']])
      assert.match((await run(argv)).out, /^A tool\n\nUsage: tool COMMAND \[OPTIONS\]\n\n  thing make NAME \[OTHER\]  Make a thing\n/)
    assert.match((await run(['thing', 'make', '--help'])).out, /--size N +How big\n/)
  })
})

describe('output', () => {
  const objects = [{ metadata: { name: 'a\u001b[31m\u0007', managedFields: [{}] } }, { metadata: { name: 'long-name' } }]
  const columns = [
    { name: 'Name', value: ({ metadata }: { metadata: { name: string } }) => metadata.name },
    { name: 'Size', value: () => undefined },
  ]

  test('aligns a table and lets no control character reach the terminal', () => {
    assert.equal(formatOutput({ kind: 'objects', objects, columns, resource: 'thing' }, 'table'), 'NAME        SIZE\na [31m      <none>\nlong-name   <none>\n')
  })

  test('shows one object alone and several as a List', () => {
    const one = JSON.parse(formatOutput({ kind: 'objects', objects: objects.slice(1), columns, resource: 'thing', isSingle: true }, 'json')) as unknown
    const several = JSON.parse(formatOutput({ kind: 'objects', objects, columns, resource: 'thing' }, 'json')) as { kind: string; items: unknown[] }

    assert.deepEqual(one, { metadata: { name: 'long-name' } })
    assert.equal(several.kind, 'List')
    assert.deepEqual(several.items[0], { metadata: { name: 'a\u001b[31m\u0007' } })
    assert.equal(formatOutput({ kind: 'objects', objects: [], columns, resource: 'thing' }, 'table'), 'No resources found\n')
  })

  test('writes ages as kubectl does', () => {
    const now = new Date('2026-01-10T00:00:00Z')
    const ago = (seconds: number): string => formatAge(new Date(now.getTime() - seconds * 1_000).toISOString(), now)

    assert.deepEqual([5, 119, 120, 200, 600, 3_600 * 2, 3_600 * 5 + 120, 3_600 * 30, 86_400 * 3, 86_400 * 400].map(ago), [
      '5s',
      '119s',
      '2m',
      '3m20s',
      '10m',
      '120m',
      '5h2m',
      '30h',
      '3d',
      '400d',
    ])
    assert.equal(formatAge(undefined, now), '<unknown>')
  })
})

test('the nearest word is only one that could be meant', () => {
  assert.equal(nearest('lst', ['list', 'remove']), 'list')
  assert.equal(nearest('zzz', ['list', 'remove']), undefined)
})
