import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { header } from '@gantry/runtime'
import type { HttpHeaders, HttpRequest, HttpResponse } from '@gantry/runtime'
import { statusResponse } from './status-response.ts'

export interface StaticFilesOptions {
  /** The folder of a finished build. */
  readonly dir: string
  /** URL path it appears under; starts and ends with `/`. */
  readonly base: string
}

// A console is a few megabytes. A folder that is not one must not fill the memory.
const maxTotalBytes = 64 << 20
const maxFiles = 2_000

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.woff': 'font/woff',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.wasm': 'application/wasm',
}

/**
 * What a page of the console may do: its own scripts, its own server, nobody's frame. Styles may be inline because editor and terminal write theirs at run time.
 * No HSTS: it would hold for every port of the host, and Gantry is at home on localhost.
 */
export const pageHeaders: HttpHeaders = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self' blob:",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
}

interface StaticFile {
  readonly file: string
  readonly type: string
  readonly immutable: boolean
  /** Encodings already at hand; `identity` is read on the first request. */
  readonly contents: Map<Encoding, Promise<Content>>
}

interface Content {
  readonly bytes: Buffer
  readonly etag: string
}

type Encoding = 'br' | 'gzip' | 'identity'

const compress = {
  br: (bytes: Buffer) =>
    promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 6, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
  gzip: (bytes: Buffer) => promisify(gzip)(bytes, { level: 6 }),
} as const

/**
 * Serves a single-page application from a folder, which is listed once. Files are read and compressed when they are first asked for and then kept; a `.br` or
 * `.gz` beside a file is used as it is. A path without a file extension is answered with `index.html`.
 */
export async function openStaticFiles(options: StaticFilesOptions): Promise<(request: HttpRequest) => Promise<HttpResponse>> {
  const files = await listFiles(options.dir)

  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return statusResponse('MethodNotAllowed', 'only GET and HEAD')
    const wanted = request.path.slice(options.base.length)
    // Built files have plain names: a percent sign cannot be one of them, so nothing is decoded here.
    const found = files.get(wanted) ?? (extname(wanted) === '' ? files.get('index.html') : undefined)
    if (found === undefined) return { status: 404, headers: { ...pageHeaders, 'content-type': 'text/plain; charset=utf-8' }, body: 'not found\n' }
    const encoding = encodingFor(header(request.headers, 'accept-encoding') ?? '', found.type)
    const { bytes, etag } = await contentOf(found, encoding)
    const headers: HttpHeaders = {
      ...pageHeaders,
      'content-type': found.type,
      'cache-control': found.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      etag,
      vary: 'Accept-Encoding',
      ...(encoding === 'identity' ? {} : { 'content-encoding': encoding }),
    }
    if (header(request.headers, 'if-none-match') === etag) return { status: 304, headers }
    return { status: 200, headers, body: bytes }
  }
}

async function listFiles(dir: string): Promise<Map<string, StaticFile>> {
  const files = new Map<string, StaticFile>()
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const names = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
  if (names.length > maxFiles) throw new Error(`${dir} holds more than ${maxFiles} files: it is no console build`)
  let total = 0
  for (const name of names) {
    const file = join(dir, name)
    total += (await stat(file)).size
    if (name.endsWith('.br') || name.endsWith('.gz')) continue
    // Vite writes content-hashed files to assets/.
    files.set(name, { file, type: contentTypes[extname(name)] ?? 'application/octet-stream', immutable: name.startsWith('assets/'), contents: new Map() })
  }
  if (total > maxTotalBytes) throw new Error(`${dir} holds more than ${maxTotalBytes >> 20} MiB: it is no console build`)
  if (!files.has('index.html')) throw new Error(`${dir} has no index.html: it is no console build`)
  return files
}

function encodingFor(accepted: string, type: string): Encoding {
  if (/^(?:image\/(?!svg)|font\/)/.test(type)) return 'identity'
  if (/(?:^|[\s,])br(?!\s*;\s*q=0(?:\.0*)?(?:[\s,]|$))/.test(accepted)) return 'br'
  if (/(?:^|[\s,])gzip(?!\s*;\s*q=0(?:\.0*)?(?:[\s,]|$))/.test(accepted)) return 'gzip'
  return 'identity'
}

function contentOf(file: StaticFile, encoding: Encoding): Promise<Content> {
  let content = file.contents.get(encoding)
  if (content === undefined) {
    content = loadContent(file, encoding)
    file.contents.set(encoding, content)
    content.catch(() => file.contents.delete(encoding)) // the next request tries again; this one gets the error
  }
  return content
}

async function loadContent(file: StaticFile, encoding: Encoding): Promise<Content> {
  if (encoding === 'identity') {
    const bytes = await readFile(file.file)
    return { bytes, etag: etagOf(bytes) }
  }
  try {
    const bytes = await readFile(`${file.file}${encoding === 'br' ? '.br' : '.gz'}`)
    return { bytes, etag: etagOf(bytes) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const plain = await contentOf(file, 'identity')
  const bytes = await compress[encoding](plain.bytes)
  return { bytes, etag: etagOf(bytes) }
}

function etagOf(bytes: Buffer): string {
  return `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
}
