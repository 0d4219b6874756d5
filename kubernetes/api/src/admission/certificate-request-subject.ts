/** Who a certificate is asked for. */
export interface CertificateSubject {
  readonly commonName: string
  readonly organizations: readonly string[]
}

interface Element {
  readonly tag: number
  readonly content: Buffer
}

// X.690: tags of universal types. Deeper than a name and more attributes than this no request has.
const sequence = 0x30
const set = 0x31
const objectIdentifier = 0x06
const bmpString = 0x1e
const mostElements = 1000
const commonNameId = '550403'
const organizationId = '55040a'

/** The subject of a PKCS#10 request as `spec.request` carries it: base64 of PEM. Throws an Error that says why it is none. */
export function certificateRequestSubject(request: string): CertificateSubject {
  const pem = Buffer.from(request, 'base64').toString('latin1')
  const body = /-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE REQUEST-----/.exec(pem)?.[1]
  if (body === undefined) throw new Error('PEM block type must be CERTIFICATE REQUEST')
  const [whole] = elementsOf(Buffer.from(body, 'base64'))
  const [info] = elementsOf(contentOf(whole, sequence))
  const [, subject] = elementsOf(contentOf(info, sequence))
  const organizations: string[] = []
  let commonName = ''
  for (const relative of elementsOf(contentOf(subject, sequence))) {
    for (const attribute of elementsOf(contentOf(relative, set))) {
      const [type, value] = elementsOf(contentOf(attribute, sequence))
      const id = contentOf(type, objectIdentifier).toString('hex')
      if (value === undefined) throw malformed()
      if (id === commonNameId) commonName = textOf(value)
      else if (id === organizationId) organizations.push(textOf(value))
    }
  }
  return { commonName, organizations }
}

function malformed(): Error {
  return new Error('asn1: structure error: malformed certificate request')
}

function contentOf(element: Element | undefined, tag: number): Buffer {
  if (element?.tag !== tag) throw malformed()
  return element.content
}

function textOf({ tag, content }: Element): string {
  if (tag !== bmpString) return content.toString('utf8')
  if (content.length % 2 !== 0) throw malformed()
  return Buffer.from(content).swap16().toString('utf16le')
}

/** The elements that stand one after the other in DER bytes. */
function elementsOf(bytes: Buffer): Element[] {
  const elements: Element[] = []
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at] ?? 0
    const first = bytes[at + 1] ?? 0
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f
    if (at + 2 + lengthBytes > bytes.length || lengthBytes > 4 || elements.length >= mostElements) throw malformed()
    const length = lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes)
    const start = at + 2 + lengthBytes
    if (start + length > bytes.length) throw malformed()
    elements.push({ tag, content: bytes.subarray(start, start + length) })
    at = start + length
  }
  return elements
}
