import { generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

export interface TestCertificate {
  readonly cert: string
  readonly key: string
}

export interface TestAuthority {
  readonly cert: string
  issue(options: {
    readonly commonName: string
    readonly dns?: readonly string[]
    readonly ip?: readonly string[]
    readonly notBefore?: Date
    readonly notAfter?: Date
  }): TestCertificate
}

const dayMs = 86_400_000

/** A certificate authority for tests, valid around `now` (ms): certificates are made when they are needed, none lies in the repository. */
export function createTestAuthority(name: string, now: number): TestAuthority {
  const authority = newKeys()
  let serial = 1
  const certify = (subject: {
    readonly commonName: string
    readonly publicKey: KeyObject
    readonly from: Date
    readonly to: Date
    readonly extensions: readonly Buffer[]
  }): string => {
    const body = sequence(
      der(0xa0, integer(2)), // version 3
      integer(serial++),
      ecdsaWithSha256,
      distinguishedName(name),
      sequence(time(subject.from), time(subject.to)),
      distinguishedName(subject.commonName),
      subject.publicKey.export({ type: 'spki', format: 'der' }),
      der(0xa3, sequence(...subject.extensions)),
    )
    return pem(sequence(body, ecdsaWithSha256, bitString(sign('sha256', body, authority.privateKey))))
  }
  return {
    cert: certify({
      commonName: name,
      publicKey: authority.publicKey,
      from: new Date(now - 10 * dayMs),
      to: new Date(now + 10 * dayMs),
      extensions: [extension('551d13', sequence(der(0x01, Buffer.from([0xff]))))], // basicConstraints: a CA
    }),
    issue(options) {
      const leaf = newKeys()
      const names = [
        ...(options.dns ?? []).map((value) => der(0x82, Buffer.from(value))),
        ...(options.ip ?? []).map((value) => der(0x87, Buffer.from(value.split('.').map(Number)))),
      ]
      const cert = certify({
        commonName: options.commonName,
        publicKey: leaf.publicKey,
        from: options.notBefore ?? new Date(now - dayMs),
        to: options.notAfter ?? new Date(now + dayMs),
        extensions: names.length === 0 ? [extension('551d13', sequence())] : [extension('551d11', sequence(...names))],
      })
      return { cert, key: leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
    },
  }
}

// As much of DER (X.690) as a certificate (RFC 5280) needs.
const ecdsaWithSha256 = sequence(objectId('2a8648ce3d040302'))

function newKeys(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  const { length: bytes } = content
  // The shortest form: strict readers, Go's among them, refuse any other.
  const length = bytes < 0x80 ? [bytes] : bytes < 0x100 ? [0x81, bytes] : [0x82, bytes >> 8, bytes & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts)
}

function integer(value: number): Buffer {
  return der(0x02, Buffer.from([value]))
}

function objectId(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'))
}

function bitString(bits: Buffer): Buffer {
  return der(0x03, Buffer.from([0]), bits)
}

function distinguishedName(commonName: string): Buffer {
  return sequence(der(0x31, sequence(objectId('550403'), der(0x0c, Buffer.from(commonName)))))
}

/** GeneralizedTime would do for every year; before 2050 the standard wants UTCTime. */
function time(date: Date): Buffer {
  return der(0x17, Buffer.from(`${date.toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`))
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(objectId(id), der(0x04, value))
}

function pem(certificate: Buffer): string {
  return `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replace(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE-----\n`
}
