// The WAL as SQLite writes it: a header of 32 bytes, then frames of 24 bytes and a page (sqlite.org/fileformat.html#walformat). All numbers are big-endian.
const headerBytes = 32
const frameHeaderBytes = 24

export interface Commit {
  /** Where its first frame begins and its last one ends. */
  readonly start: number
  readonly end: number
}

/** The last commit in a WAL, undefined when it holds none. */
export function lastCommit(wal: Buffer): Commit | undefined {
  if (wal.length < headerBytes) return undefined
  const frameBytes = frameHeaderBytes + wal.readUInt32BE(8)
  const salts = wal.subarray(16, 24)
  let start = headerBytes
  let last: Commit | undefined
  for (let at = headerBytes; at + frameBytes <= wal.length; at += frameBytes) {
    // Frames of an earlier round have other salts.
    if (!wal.subarray(at + 8, at + 16).equals(salts)) break
    const isCommit = wal.readUInt32BE(at + 4) !== 0
    if (!isCommit) continue
    last = { start, end: at + frameBytes }
    start = last.end
  }
  return last
}

/** What a power cut may leave of a commit that was being written: some of its bytes, others of them, none after a point. */
export function torn(wal: Buffer, commit: Commit, random: () => number): Buffer {
  const at = commit.start + Math.floor(random() * (commit.end - commit.start))
  if (random() < 0.5) return wal.subarray(0, at)
  const copy = Buffer.from(wal)
  const end = Math.min(commit.end, at + 1 + Math.floor(random() * 4096))
  for (let i = at; i < end; i++) copy[i] = Math.floor(random() * 256)
  return copy
}
