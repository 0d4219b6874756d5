import { createPublicKey, verify, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

/** One block of PEM text. */
interface PemBlock {
  readonly type: string
  readonly headers: boolean
  readonly der: Buffer
  /** What follows it. */
  readonly rest: string
}

function nextPemBlock(text: string): PemBlock | undefined {
  const match = /-----BEGIN ([^-\n]*)-----[ \t\r]*\n([\s\S]*?)-----END \1-----[ \t\r]*(?:\n|$)/.exec(text)
  if (match === null) return undefined
  const [whole, type = '', body = ''] = match
  const headers = /^[^\n]*:[^\n]*\n/.test(body)
  const base64 = (headers ? body.replace(/^(?:[^\n]+\n)*?\r?\n/, '') : body).replace(/\s/g, '')
  return { type, headers, der: Buffer.from(base64, 'base64'), rest: text.slice(match.index + whole.length) }
}

/** What is wrong with the request for a certificate (PKCS #10 in PEM); undefined when its signature proves who holds the key. */
export function certificateRequestProblem(pem: string): string | undefined {
  const block = nextPemBlock(pem)
  if (block?.type !== 'CERTIFICATE REQUEST') return 'PEM block type must be CERTIFICATE REQUEST'
  try {
    const [info, algorithm, signature] = children(readValue(block.der, 0))
    if (info === undefined || algorithm === undefined || signature === undefined) return malformed
    const [, , publicKeyInfo] = children(info)
    const [oid] = children(algorithm)
    if (publicKeyInfo === undefined || oid === undefined) return malformed
    const key = createPublicKey({ key: publicKeyInfo.whole, format: 'der', type: 'spki' })
    const digest = digestOf.get(oid.content.toString('hex'))
    if (digest === undefined) return 'x509: cannot verify signature: algorithm unimplemented'
    return isSigned(key, { digest, signed: info.whole, signature: signature.content.subarray(1) }) ? undefined : signatureProblem(key)
  } catch (error) {
    // Whatever the parsers of DER and of keys say: it is no certificate request.
    return error instanceof RangeError ? 'asn1: syntax error: data truncated' : malformed
  }
}

const malformed = 'asn1: structure error: tags do not match'

function isSigned(key: KeyObject, proof: { readonly digest: string | null; readonly signed: Buffer; readonly signature: Buffer }): boolean {
  return verify(proof.digest, proof.signed, key, proof.signature)
}

function signatureProblem(key: KeyObject): string {
  if (key.asymmetricKeyType === 'rsa') return 'crypto/rsa: verification error'
  return key.asymmetricKeyType === 'ec' ? 'x509: ECDSA verification failure' : 'x509: Ed25519 verification failure'
}

/** Object identifiers of signature algorithms, DER in hex, and the digest that each signs; null: it signs the message itself. */
const digestOf: ReadonlyMap<string, string | null> = new Map([
  ['2a864886f70d01010b', 'sha256'],
  ['2a864886f70d01010c', 'sha384'],
  ['2a864886f70d01010d', 'sha512'],
  ['2a8648ce3d040302', 'sha256'],
  ['2a8648ce3d040303', 'sha384'],
  ['2a8648ce3d040304', 'sha512'],
  ['2b6570', null],
])

/** One value of DER. */
interface DerValue {
  readonly whole: Buffer
  readonly content: Buffer
}

function readValue(der: Buffer, at: number): DerValue {
  const first = der.readUInt8(at + 1)
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  if (lengthBytes > 4) throw new RangeError('a length of more than four bytes')
  const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes)
  const start = at + 2 + lengthBytes
  if (start + length > der.length) throw new RangeError('a value that ends behind its data')
  return { whole: der.subarray(at, start + length), content: der.subarray(start, start + length) }
}

function children({ content }: DerValue): DerValue[] {
  const values: DerValue[] = []
  for (let at = 0; at < content.length;) {
    const value = readValue(content, at)
    values.push(value)
    at += value.whole.length
  }
  return values
}

/** What is wrong with a chain of certificates in PEM; undefined when nothing is, or there is none. */
export function certificateProblem(pem: string): string | undefined {
  if (pem === '') return undefined
  let rest = pem
  let blocks = 0
  for (;;) {
    const block = nextPemBlock(rest)
    if (block === undefined) break
    if (block.type !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(block.type)}`
    if (block.headers) return 'no PEM block headers are permitted'
    blocks++
    if (block.der.length === 0) return 'found CERTIFICATE PEM block containing 0 certificates'
    try {
      new X509Certificate(block.der)
    } catch {
      return 'x509: malformed certificate'
    }
    rest = block.rest
  }
  return blocks === 0 ? 'must contain at least one CERTIFICATE PEM block' : undefined
}
