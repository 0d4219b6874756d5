import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isWithoutProxy } from './no-proxy.ts'

describe('NO_PROXY', () => {
  for (const [url, text, expected] of [
    ['https://hub.example.com', undefined, false],
    ['https://hub.example.com', '', false],
    ['https://hub.example.com', '*', true],
    ['https://hub.example.com', 'example.com', true],
    ['https://hub.example.com', ' other.org , HUB.example.com ', true],
    ['https://badexample.com', 'example.com', false],
    ['https://example.com', '.example.com', false],
    ['https://hub.example.com', '.example.com', true],
    ['https://hub.example.com', '*.example.com', true],
    ['https://hub.example.com:7443', 'hub.example.com:7443', true],
    ['https://hub.example.com:7443', 'hub.example.com:443', false],
    ['https://hub.example.com', 'hub.example.com:443', true],
    ['https://10.1.2.3:7443', '10.0.0.0/8', true],
    ['https://11.1.2.3:7443', '10.0.0.0/8', false],
    ['https://hub.example.com', '10.0.0.0/8', false],
    ['https://10.1.2.3', '10.1.2.3', true],
    ['https://10.1.2.3:7443', '10.1.2.3:7443', true],
    ['https://110.1.2.3', '10.1.2.3', false],
    ['https://[fd00::7]:7443', 'fd00::/8', true],
    ['https://[fd00::7]:7443', 'fd00::7', true],
    ['https://[fd00::7]:7443', '[fd00::7]:7443', true],
    ['https://[fd00::7]:7443', '[fd00::7]:443', false],
    ['https://10.1.2.3', '10.0.0.0/99', false],
    ['https://10.1.2.3', 'nonsense/8', false],
    ['https://127.0.0.1:7443', undefined, true],
    ['https://localhost:7443', '', true],
    ['https://[::1]', '', true],
  ] as const) {
    test(`${text ?? 'unset'} ${expected ? 'lets' : 'does not let'} ${url} go without a proxy`, () => {
      assert.equal(isWithoutProxy(new URL(url), text), expected)
    })
  }
})
