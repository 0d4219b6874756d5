import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { canonicalBase64 } from './base64.ts'
import { canonicalDuration, canonicalMicroTime, canonicalTime } from './go-time.ts'
import { hasStringFormat, isKnownStringFormat } from './string-formats.ts'

describe('hasStringFormat', () => {
  // Answers of kube-openapi's registry of formats.
  const cases: Record<string, { readonly good: readonly string[]; readonly bad: readonly string[] }> = {
    bsonobjectid: { good: ['507f1f77bcf86cd799439011'], bad: ['507f1f77', 'z07f1f77bcf86cd799439011'] },
    uri: { good: ['http://a.b/c?d#e', '/path', 'mailto:x'], bad: ['a b', 'relative', 'http://a b', '/%zz'] },
    email: { good: ['a@b.c', 'Name <a.b@c.d>', '"q r"@x.y'], bad: ['a', '@b', 'a@', 'a b@c', 'a..b@c'] },
    hostname: { good: ['host', 'a.b.com', 'x-y.example.com'], bad: ['-a', 'a..b', 'a.b1', 'my-host-name'] },
    ipv4: { good: ['1.2.3.4'], bad: ['1.2.3', '::1', '256.1.1.1'] },
    ipv6: { good: ['::1', 'fe80::1'], bad: ['1.2.3.4', 'x::'] },
    cidr: { good: ['10.0.0.0/8', '::/0'], bad: ['10.0.0.0', '10.0.0.0/33', '::/129', 'x/1', '1.1.1.1/1/1'] },
    mac: { good: ['00:00:5e:00:53:01', '00-00-5e-00-53-01', '0000.5e00.5301'], bad: ['00:00:5e', '00:00:5e:00:53:zz'] },
    uuid: { good: ['123E4567-e89b-12d3-a456-426614174000', '123e4567e89b12d3a456426614174000'], bad: ['123e4567'] },
    uuid3: { good: ['a3bb189e-8bf9-3888-9912-ace4e6543002'], bad: ['a3bb189e-8bf9-4888-9912-ace4e6543002'] },
    uuid4: { good: ['a3bb189e-8bf9-4888-9912-ace4e6543002'], bad: ['a3bb189e-8bf9-4888-7912-ace4e6543002'] },
    uuid5: { good: ['a3bb189e-8bf9-5888-9912-ace4e6543002'], bad: ['a3bb189e-8bf9-3888-9912-ace4e6543002'] },
    isbn: { good: ['0321751043', '978-0321751041'], bad: ['123'] },
    isbn10: { good: ['0-321-75104-3', '080442957X'], bad: ['0321751044', '978-0321751041'] },
    isbn13: { good: ['978-0321751041'], bad: ['978-0321751042', '0321751043'] },
    creditcard: { good: ['4242 4242 4242 4242', '378282246310005'], bad: ['4242424242424241', '1234'] },
    ssn: { good: ['111-11-1111', '111 11 1111', '111111111'], bad: ['11-11-1111'] },
    hexcolor: { good: ['#fff', 'FFFFFF'], bad: ['#ff', 'red'] },
    rgbcolor: { good: ['rgb(0, 128,255)'], bad: ['rgb(256,0,0)', 'rgb(0,0)'] },
    byte: { good: ['YQ==', 'YWJj'], bad: ['', 'YQ', 'a$=='] },
    password: { good: ['', 'anything'], bad: [] },
    date: { good: ['2024-02-29'], bad: ['2023-02-29', '2024-13-01', '2024-1-1', '2024-00-01', '2024-01-00'] },
    duration: { good: ['1h30m', '22 ns', '3 days', '1 week'], bad: ['soon', '1 fortnight'] },
    'date-time': { good: ['2024-01-01T00:00:00Z', '2024-01-01t10:20:30.5+02:00'], bad: ['2024-01-01', '2024-01-01T24:00:00Z', '2024-01-01T00:00:00'] },
    'k8s-short-name': { good: ['a-b'], bad: ['a.b', 'A'] },
    'k8s-long-name': { good: ['a.b'], bad: ['a_b'] },
  }

  for (const [format, { good, bad }] of Object.entries(cases)) {
    it(`knows ${format}`, () => {
      assert.equal(isKnownStringFormat(format), true)
      for (const text of good) assert.equal(hasStringFormat(format, text), true, text)
      for (const text of bad) assert.equal(hasStringFormat(format, text), false, text)
    })
  }

  it('has nothing against a format it does not know', () => {
    assert.equal(isKnownStringFormat('constructor'), false)
    assert.equal(hasStringFormat('constructor', 'x'), true)
  })
})

describe('Go times', () => {
  it('become canonical', () => {
    assert.equal(canonicalTime('2026-01-02T03:04:05Z'), '2026-01-02T03:04:05Z')
    assert.equal(canonicalTime('2026-01-02T03:04:05.999Z'), '2026-01-02T03:04:05Z')
    assert.equal(canonicalTime('2026-01-01T00:30:00+01:00'), '2025-12-31T23:30:00Z')
    assert.equal(canonicalTime('0001-01-01T00:00:00Z'), null)
    assert.equal(canonicalMicroTime('2026-01-01T00:00:00.123456-02:00'), '2026-01-01T02:00:00.123456Z')
    assert.equal(canonicalMicroTime('0001-01-01T00:00:00.000000Z'), null)
  })

  it('are refused in the words of Go', () => {
    const layout = '2006-01-02T15:04:05Z07:00'
    const wrong: [string, string][] = [
      ['', `parsing time "" as "${layout}": cannot parse "" as "2006"`],
      ['2026/01', `parsing time "2026/01" as "${layout}": cannot parse "/01" as "-"`],
      ['2026-01-02 03:04:05Z', `parsing time "2026-01-02 03:04:05Z" as "${layout}": cannot parse " 03:04:05Z" as "T"`],
      ['2026-01-02T03:04:05', `parsing time "2026-01-02T03:04:05" as "${layout}": cannot parse "" as "Z07:00"`],
      ['2026-01-02T03:04:05Zx', 'parsing time "2026-01-02T03:04:05Zx": extra text: "x"'],
      ['2026-13-02T03:04:05Z', 'parsing time "2026-13-02T03:04:05Z": month out of range'],
      ['2026-02-30T03:04:05Z', 'parsing time "2026-02-30T03:04:05Z": day out of range'],
      ['2026-01-02T24:04:05Z', 'parsing time "2026-01-02T24:04:05Z": hour out of range'],
    ]
    for (const [text, message] of wrong) assert.throws(() => canonicalTime(text), { message }, text)
    assert.throws(() => canonicalMicroTime('2026-01-02T03:04:05Z'), {
      message: 'parsing time "2026-01-02T03:04:05Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
    })
  })
})

describe('Go durations', () => {
  it('become canonical', () => {
    const cases: [string, string][] = [
      ['90m', '1h30m0s'],
      ['1.5s', '1.5s'],
      ['-2h', '-2h0m0s'],
      ['1500us', '1.5ms'],
      ['999ns', '999ns'],
      ['1.5µs', '1.5µs'],
      ['61.5s', '1m1.5s'],
      ['0', '0s'],
      ['+1h2m3s4ms', '1h2m3.004s'],
    ]
    for (const [text, canonical] of cases) assert.equal(canonicalDuration(text), canonical, text)
  })

  it('are refused in the words of Go', () => {
    assert.throws(() => canonicalDuration(''), { message: 'time: invalid duration ""' })
    assert.throws(() => canonicalDuration('1'), { message: 'time: missing unit in duration "1"' })
    assert.throws(() => canonicalDuration('1d'), { message: 'time: unknown unit "d" in duration "1d"' })
    assert.throws(() => canonicalDuration('x'), { message: 'time: invalid duration "x"' })
    assert.throws(() => canonicalDuration('9999999h'), { message: 'time: invalid duration "9999999h"' })
  })
})

describe('Go base64', () => {
  it('becomes canonical', () => {
    for (const text of ['', 'YQ==', 'YWI=', 'YWJj']) assert.equal(canonicalBase64(text), text)
    assert.equal(canonicalBase64('YW\nJj\r\n'), 'YWJj')
    assert.equal(canonicalBase64('YR=='), 'YQ==')
  })

  it('is refused at the byte where Go refuses it', () => {
    const wrong: [string, number][] = [
      ['a', 0],
      ['YWJjZ', 4],
      ['YW-j', 2],
      ['=', 0],
      ['YQ=', 3],
      ['YQ=x', 2],
      ['YQ==YQ==', 4],
      ['YWI=x', 4],
    ]
    for (const [text, offset] of wrong) assert.throws(() => canonicalBase64(text), { message: `illegal base64 data at input byte ${offset}` }, text)
  })
})
