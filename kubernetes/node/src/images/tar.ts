/** One entry of a tar archive: a directory when `directory`, a symbolic link when `linkTo` is set, a file otherwise. */
export interface TarEntry {
  readonly name: string
  readonly mode?: number
  readonly content?: Uint8Array | string
  readonly linkTo?: string
  readonly directory?: boolean
}

const blockBytes = 512

/** A ustar archive in memory, with fixed times, so that the same entries always give the same digest. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  const blocks: Buffer[] = []
  for (const entry of entries) {
    const content = typeof entry.content === 'string' ? Buffer.from(entry.content) : Buffer.from(entry.content ?? [])
    blocks.push(headerOf(entry, content.length), content, Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes))
  }
  blocks.push(Buffer.alloc(2 * blockBytes))
  return Buffer.concat(blocks)
}

function headerOf(entry: TarEntry, size: number): Buffer {
  const type = entry.directory ? '5' : entry.linkTo === undefined ? '0' : '2'
  const mode = entry.mode ?? (type === '0' ? 0o644 : 0o755)
  const header = Buffer.alloc(blockBytes)
  const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`
  header.write(entry.directory ? `${entry.name}/` : entry.name, 0, 100)
  header.write(octal(mode, 8), 100)
  header.write(octal(0, 8), 108)
  header.write(octal(0, 8), 116)
  header.write(octal(size, 12), 124)
  header.write(octal(0, 12), 136)
  header.write(' '.repeat(8), 148)
  header.write(type, 156)
  header.write(entry.linkTo ?? '', 157, 100)
  header.write('ustar\x0000', 257)
  let sum = 0
  for (const byte of header) sum += byte
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}
