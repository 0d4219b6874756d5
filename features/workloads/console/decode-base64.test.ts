import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeBase64 } from './decode-base64.ts'

test('reads text beyond ASCII', () => assert.equal(decodeBase64(Buffer.from('密码 ✓').toString('base64')), '密码 ✓'))
test('has no text for bytes that are none', () => assert.equal(decodeBase64(Buffer.from([0xff, 0xfe, 0x00]).toString('base64')), undefined))
test('has no text for what is not base64', () => assert.equal(decodeBase64('%%%'), undefined))
