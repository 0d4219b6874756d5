import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LinkRewriter, rewriteLink } from './link-rewriter.ts'

const address = { prefix: '/p/proxy', target: '10.0.0.1:80', asked: 'hub.example' }

describe('links behind a proxy', () => {
  for (const [link, expected] of [
    ['/a', '/p/proxy/a'],
    ['/a/?q=/b#/c', '/p/proxy/a/?q=/b#/c'],
    ['/', '/p/proxy/'],
    ['/p/proxy/a', '/p/proxy/a'],
    ['a/b', 'a/b'],
    ['', ''],
    ['#top', '#top'],
    ['mailto:a@b', 'mailto:a@b'],
    ['data:/a', 'data:/a'],
    ['http://10.0.0.1:80/a', '/p/proxy/a'],
    ['https://hub.example/a', 'https://hub.example/p/proxy/a'],
    ['http://other/a', 'http://other/a'],
    ['//other/a', '//other/a'],
  ] as const) {
    test(`${JSON.stringify(link)} becomes ${JSON.stringify(expected)}`, () => assert.equal(rewriteLink(link, address), expected))
  }
})

describe('a page behind a proxy', () => {
  const rewritten = (page: string, size = page.length): string => {
    const rewriter = new LinkRewriter((link) => rewriteLink(link, address))
    let out = ''
    for (let at = 0; at < page.length; at += Math.max(size, 1)) out += rewriter.push(page.slice(at, at + size))
    return out + rewriter.end()
  }
  const page =
    '<!DOCTYPE html><html><!-- <a href="/no"> --><A HREF=/q class=x>t</A><a title="a > b" href = \'/x?a=1&amp;b=2\'>x</a><img alt src="/i.png"/>' +
    '<p cite="/no">1 < 2</p><script src="/s.js">if (a<b) "<a href=\'/no\'>"</SCRIPT ><a href="rel">r</a><form action=/f></form><a href="/\xe4">\xff</a>'
  const expected =
    '<!DOCTYPE html><html><!-- <a href="/no"> --><A HREF="/p/proxy/q" class=x>t</A><a title="a > b" href = \'/p/proxy/x?a=1&amp;b=2\'>x</a><img alt src="/p/proxy/i.png"/>' +
    '<p cite="/no">1 < 2</p><script src="/p/proxy/s.js">if (a<b) "<a href=\'/no\'>"</SCRIPT ><a href="rel">r</a><form action="/p/proxy/f"></form><a href="/p/proxy/\xe4">\xff</a>'

  test('has the links of its own host below the proxy, and is otherwise as it was', () => assert.equal(rewritten(page), expected))

  test('is the same however it is cut into chunks', () => {
    for (let size = 1; size < 40; size++) assert.equal(rewritten(page, size), expected, `chunks of ${size}`)
  })

  test('passes as it is where a tag never ends, without being kept', () => {
    const endless = `<a href="${'x'.repeat(200_000)}`

    assert.equal(rewritten(endless), endless)
    assert.equal(rewritten(`${endless}<a b`, 5_000), `${endless}<a b`)
  })

  test('takes time in proportion to its length, whatever it holds', () => {
    const rewriter = new LinkRewriter((link) => link)
    for (const part of ['<a ', '<a x', '<a =', '</', '<!--', '&', '<a href="', "<a href='", '<script>', '<script></scrip', '<a  ']) {
      const text = part.repeat(60_000)
      const started = performance.now()
      for (let at = 0; at < text.length; at += 16_384) rewriter.push(text.slice(at, at + 16_384))
      rewriter.end()

      assert.ok(performance.now() - started < 1_000, part)
    }
  })
})
