import { canonicalDuration } from './go-time.ts'
import { asJsonText, isJsonObject, ownValue, setOwn } from './json-value.ts'
import type { JsonObject } from './json-value.ts'
import { malformed, ProtobufReader, wireBytes, wireFixed64, wireVarint } from './protobuf-reader.ts'
import { ProtobufWriter } from './protobuf-writer.ts'
import type { Definitions, Field, ObjectSchema, Schema } from './schema.ts'

/** The outer message of every Kubernetes protobuf body: `runtime.Unknown` behind four magic bytes. */
export interface ProtobufEnvelope {
  readonly apiVersion: string
  readonly kind: string
  /** The object's own message. */
  readonly raw: Buffer
  readonly contentType: string
  readonly contentEncoding: string
}

/**
 * Reads and writes Kubernetes' protobuf form, driven by the field numbers of the schemas. Bytes that are no such message are a BadRequest; unknown fields are
 * skipped. Fields without a number have no protobuf form and are left out.
 */
export interface ProtobufCodec {
  decodeEnvelope(bytes: Buffer): ProtobufEnvelope
  /** The object as its JSON text would give it, `kind` and `apiVersion` aside. */
  decode(schema: ObjectSchema, raw: Buffer): JsonObject
  /** The object's own message, as Go writes it: fields that are no pointers are always there. */
  encode(schema: ObjectSchema, object: JsonObject): Buffer
  encodeEnvelope(apiVersion: string, kind: string, raw: Uint8Array): Buffer
  /** The object as one of the items of a list. */
  encodeItem(schema: ObjectSchema, object: JsonObject): Buffer
  /** A list in its envelope, in parts to be written one after the other: its message without items, then `items` as `encodeItem` gives them. */
  encodeList(type: { readonly apiVersion: string; readonly kind: string }, list: Buffer, items: readonly Buffer[]): Uint8Array[]
  /** One frame of a watch in protobuf: four bytes of length, then the event around an enveloped object. */
  encodeWatchFrame(type: string, envelope: Uint8Array): Buffer
  decodeWatchFrame(frame: Buffer): { readonly type: string; readonly envelope: Buffer }
}

/** A body that begins like this is protobuf. No Buffer: the browser loads this file too, and never calls what is in it. */
export const protobufMagic: Uint8Array = new Uint8Array([0x6b, 0x38, 0x73, 0x00])

/** Every list of Kubernetes has its metadata as field 1 and its items as field 2. */
const itemsField = 2
/** The last fields of an envelope that names neither an encoding nor a content type. */
const emptyStrings: Uint8Array = new Uint8Array([0x1a, 0, 0x22, 0])

const jsonSchemaProps = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps'

export function createProtobufCodec(definitions: Definitions): ProtobufCodec {
  const codecs = new Codecs(definitions)
  return {
    decodeEnvelope,
    decode(schema, raw) {
      const object: JsonObject = {}
      codecs.messageOf(schema).decodeInto(object, readerOf(raw))
      return object
    },
    encode(schema, object) {
      const writer = new ProtobufWriter()
      codecs.messageOf(schema).encode(object, writer)
      return writer.finish()
    },
    encodeEnvelope,
    encodeItem(schema, object) {
      const writer = new ProtobufWriter()
      codecs.messageOf(schema).encode(object, writer)
      writer.message(itemsField, 0)
      return writer.finish()
    },
    encodeList(type, list, items) {
      const length = items.reduce((sum, item) => sum + item.length, list.length)
      // The envelope of nothing ends with a length of none and two empty strings: what comes before them begins this one too.
      const empty = encodeEnvelope(type.apiVersion, type.kind, new Uint8Array())
      const writer = new ProtobufWriter()
      writer.varint(length)
      return [empty.subarray(0, empty.length - emptyStrings.length - 1), writer.finish(), list, ...items, emptyStrings]
    },
    encodeWatchFrame(type, envelope) {
      const writer = new ProtobufWriter()
      writer.bytes(1, envelope)
      writer.message(2, 0)
      writer.string(1, type)
      const event = writer.finish()
      const length = Buffer.alloc(4)
      length.writeUInt32BE(event.length)
      return Buffer.concat([length, event])
    },
    decodeWatchFrame,
  }
}

function readerOf(bytes: Buffer): ProtobufReader {
  return new ProtobufReader(bytes, { start: 0, end: bytes.length, depth: 0 })
}

function decodeEnvelope(bytes: Buffer): ProtobufEnvelope {
  if (bytes.length === 0) throw malformed('empty data')
  if (protobufMagic.some((byte, index) => bytes[index] !== byte)) {
    throw malformed('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]')
  }
  const envelope = { apiVersion: '', kind: '', raw: Buffer.alloc(0) as Buffer, contentType: '', contentEncoding: '' }
  const reader = new ProtobufReader(bytes, { start: protobufMagic.length, end: bytes.length, depth: 0 })
  while (reader.next()) {
    if (reader.field > 4) {
      reader.skip()
      continue
    }
    reader.expect(wireBytes, 'Unknown')
    if (reader.field === 1) {
      const meta = reader.message()
      while (meta.next()) {
        if (meta.field === 1) envelope.apiVersion = stringIn(meta, 'APIVersion')
        else if (meta.field === 2) envelope.kind = stringIn(meta, 'Kind')
        else meta.skip()
      }
    } else if (reader.field === 2) envelope.raw = reader.bytes()
    else if (reader.field === 3) envelope.contentEncoding = reader.string()
    else envelope.contentType = reader.string()
  }
  return envelope
}

function stringIn(reader: ProtobufReader, name: string): string {
  reader.expect(wireBytes, name)
  return reader.string()
}

function encodeEnvelope(apiVersion: string, kind: string, raw: Uint8Array): Buffer {
  const writer = new ProtobufWriter()
  writer.string(4, '')
  writer.string(3, '')
  writer.bytes(2, raw)
  const mark = writer.mark
  writer.string(2, kind)
  writer.string(1, apiVersion)
  writer.message(1, mark)
  return Buffer.concat([protobufMagic, writer.finish()])
}

function decodeWatchFrame(frame: Buffer): { readonly type: string; readonly envelope: Buffer } {
  if (frame.length < 4 || frame.readUInt32BE(0) !== frame.length - 4) throw malformed('unexpected EOF')
  const reader = readerOf(frame.subarray(4))
  let type = ''
  let envelope: Buffer = Buffer.alloc(0)
  while (reader.next()) {
    if (reader.field === 1) type = stringIn(reader, 'Type')
    else if (reader.field === 2) {
      reader.expect(wireBytes, 'Object')
      envelope = bytesOfField(reader.message(), 1)
    } else reader.skip()
  }
  return { type, envelope }
}

/** How one kind of value is read and written. */
interface ValueCodec {
  readonly wire: number
  read(reader: ProtobufReader): unknown
  write(field: number, value: unknown, writer: ProtobufWriter): void
  /** What Go writes for an absent field that is no pointer; absent where it writes nothing. */
  readonly zero?: unknown
}

class Codecs {
  readonly definitions: Definitions
  readonly #messages = new WeakMap<ObjectSchema, MessageCodec>()

  constructor(definitions: Definitions) {
    this.definitions = definitions
  }

  messageOf(schema: ObjectSchema): MessageCodec {
    const known = this.#messages.get(schema)
    if (known !== undefined) return known
    const codec = new MessageCodec(
      schema.fields.map((field) => ({ field, path: [...(field.within ?? []), field.number ?? 0] })),
      this,
    )
    this.#messages.set(schema, codec)
    return codec
  }

  valueOf(schema: Schema): ValueCodec {
    switch (schema.kind) {
      case 'scalar':
        return scalarCodecs[schema.scalar]
      case 'ref':
        return new MessageValueCodec(() => this.messageOf(this.#definition(schema.ref)))
      case 'object':
        return new MessageValueCodec(() => this.messageOf(schema))
      case 'any':
        return this.#anyCodec(schema.any)
      case 'list':
        return wrappedListCodec(this.valueOf(schema.of))
      case 'map':
        throw new Error('protobuf has no maps inside of lists or maps')
    }
  }

  #anyCodec(any: string): ValueCodec {
    switch (any) {
      case 'jsonSchemaPropsOrBool':
        return orBoolCodec(this.#jsonSchemaProps())
      case 'jsonSchemaPropsOrArray':
        return orListCodec(this.#jsonSchemaProps(), this.#jsonSchemaProps())
      case 'jsonSchemaPropsOrStringArray':
        return orListCodec(this.#jsonSchemaProps(), scalarCodecs.string)
      case 'intOrString':
        return scalarCodecs.intOrString
      default:
        return rawJsonCodec
    }
  }

  #jsonSchemaProps(): ValueCodec {
    return this.valueOf({ kind: 'ref', ref: jsonSchemaProps })
  }

  #definition(name: string): ObjectSchema {
    const schema = this.definitions.get(name)
    if (schema === undefined) throw new Error(`the definition ${name} is missing`)
    return schema
  }
}

interface NumberedField {
  readonly field: Field
  /** Numbers of the messages around the field, then its own; zero when it has none. */
  readonly path: readonly number[]
}

type FieldCodec = { decodeInto(object: JsonObject, reader: ProtobufReader): void; encode(object: JsonObject, writer: ProtobufWriter): void }

/** A struct. Structs that Go inlines are messages of their own on the wire and the same object in JSON. */
class MessageCodec {
  readonly #codecs: Codecs
  readonly #fields: readonly NumberedField[]
  #byNumber: Map<number, FieldCodec> | undefined
  /** Last number first: that is how they are written. */
  #backwards: readonly FieldCodec[] = []

  constructor(fields: readonly NumberedField[], codecs: Codecs) {
    this.#fields = fields.filter(({ path }) => path.at(-1) !== 0)
    this.#codecs = codecs
  }

  decodeInto(object: JsonObject, reader: ProtobufReader): void {
    const fields = this.#compiled()
    while (reader.next()) {
      const field = fields.get(reader.field)
      if (field === undefined) reader.skip()
      else field.decodeInto(object, reader)
    }
  }

  encode(object: JsonObject, writer: ProtobufWriter): void {
    this.#compiled()
    for (const field of this.#backwards) field.encode(object, writer)
  }

  /** Compiled when first used: types refer to themselves. */
  #compiled(): Map<number, FieldCodec> {
    if (this.#byNumber !== undefined) return this.#byNumber
    const groups = new Map<number, NumberedField[]>()
    for (const numbered of this.#fields) {
      const number = numbered.path[0] ?? 0
      const group = groups.get(number)
      if (group === undefined) groups.set(number, [numbered])
      else group.push(numbered)
    }
    const compiled = [...groups].map(([number, group]) => [number, this.#fieldCodec(number, group)] as const)
    this.#byNumber = new Map(compiled)
    this.#backwards = compiled.toSorted(([a], [b]) => b - a).map(([, codec]) => codec)
    return this.#byNumber
  }

  #fieldCodec(number: number, group: readonly NumberedField[]): FieldCodec {
    const [first] = group
    if (first?.path.length === 1) return fieldCodec(number, first.field, this.#codecs)
    return inlinedCodec(
      number,
      new MessageCodec(
        group.map(({ field, path }) => ({ field, path: path.slice(1) })),
        this.#codecs,
      ),
    )
  }
}

function inlinedCodec(number: number, message: MessageCodec): FieldCodec {
  return {
    decodeInto(object, reader) {
      reader.expect(wireBytes, String(number))
      message.decodeInto(object, reader.message())
    },
    encode(object, writer) {
      const mark = writer.mark
      message.encode(object, writer)
      writer.message(number, mark)
    },
  }
}

function fieldCodec(number: number, field: Field, codecs: Codecs): FieldCodec {
  const { name, schema } = field
  if (schema.kind === 'map') return mapCodec(number, name, codecs.valueOf(schema.of))
  if (schema.kind === 'list' && schema.wrapped !== true) return listCodec(number, name, codecs.valueOf(schema.of))
  const value = codecs.valueOf(schema)
  if (value instanceof MessageValueCodec) return messageFieldCodec(number, field, value)
  const isValue = field.pointer !== true
  const dropsZero = isValue && field.omitEmpty === true && schema.kind === 'scalar' && plainScalars.has(schema.scalar)
  return {
    decodeInto(object, reader) {
      reader.expect(value.wire, name)
      const read = value.read(reader)
      if (read === undefined || (read === null && isValue && field.omitZero === true)) return
      if (dropsZero && (read === '' || read === 0 || read === false)) delete object[name]
      else object[name] = read
    },
    encode(object, writer) {
      const given = object[name] ?? undefined
      if (given !== undefined) value.write(number, given, writer)
      else if (isValue && value.zero !== undefined) value.write(number, value.zero, writer)
    },
  }
}

function messageFieldCodec(number: number, field: Field, value: MessageValueCodec): FieldCodec {
  const { name } = field
  return {
    decodeInto(object, reader) {
      reader.expect(wireBytes, name)
      const current = object[name]
      const target = isJsonObject(current) ? current : {}
      value.message.decodeInto(target, reader.message())
      object[name] = target
    },
    encode(object, writer) {
      const given = object[name]
      if (isJsonObject(given)) value.write(number, given, writer)
      else if (field.pointer !== true) value.write(number, {}, writer)
    },
  }
}

function listCodec(number: number, name: string, item: ValueCodec): FieldCodec {
  return {
    decodeInto(object, reader) {
      const current = object[name]
      const list: unknown[] = Array.isArray(current) ? (current as unknown[]) : []
      object[name] = list
      if (reader.wire === wireBytes && item.wire === wireVarint) {
        for (const packed = reader.message(); !packed.atEnd;) list.push(item.read(packed))
        return
      }
      reader.expect(item.wire, name)
      list.push(item.read(reader) ?? null)
    },
    encode(object, writer) {
      const list = object[name]
      if (!Array.isArray(list)) return
      for (let i = list.length - 1; i >= 0; i--) item.write(number, list[i], writer)
    },
  }
}

function mapCodec(number: number, name: string, value: ValueCodec): FieldCodec {
  return {
    decodeInto(object, reader) {
      reader.expect(wireBytes, name)
      const current = object[name]
      const map: JsonObject = isJsonObject(current) ? current : {}
      object[name] = map
      let key = ''
      let read: unknown
      const entry = reader.message()
      while (entry.next()) {
        if (entry.field === 1) key = stringIn(entry, name)
        else if (entry.field === 2) {
          entry.expect(value.wire, name)
          read = value.read(entry)
        } else entry.skip()
      }
      setOwn(map, key, read ?? value.zero ?? null)
    },
    encode(object, writer) {
      const map = object[name]
      if (!isJsonObject(map)) return
      for (const key of Object.keys(map).sort().reverse()) {
        const mark = writer.mark
        value.write(2, ownValue(map, key), writer)
        writer.string(1, key)
        writer.message(number, mark)
      }
    },
  }
}

class MessageValueCodec implements ValueCodec {
  readonly wire = wireBytes
  readonly zero = {}
  readonly #message: () => MessageCodec

  constructor(message: () => MessageCodec) {
    this.#message = message
  }

  get message(): MessageCodec {
    return this.#message()
  }

  read(reader: ProtobufReader): JsonObject {
    const object: JsonObject = {}
    this.message.decodeInto(object, reader.message())
    return object
  }

  write(field: number, value: unknown, writer: ProtobufWriter): void {
    const mark = writer.mark
    this.message.encode(isJsonObject(value) ? value : {}, writer)
    writer.message(field, mark)
  }
}

/** A list that Go names as a type of its own: a message with the items in it. */
function wrappedListCodec(item: ValueCodec): ValueCodec {
  const items = listCodec(1, 'items', item)
  return {
    wire: wireBytes,
    read(reader) {
      const holder: JsonObject = { items: [] }
      const message = reader.message()
      while (message.next()) {
        if (message.field === 1) items.decodeInto(holder, message)
        else message.skip()
      }
      return holder['items']
    },
    write(field, value, writer) {
      const mark = writer.mark
      items.encode({ items: value }, writer)
      writer.message(field, mark)
    },
  }
}

/** JSON in a bytes field of its own message: RawExtension, FieldsV1, JSON. What is not JSON in there has no JSON form and is refused. */
const rawJsonCodec: ValueCodec = {
  wire: wireBytes,
  read(reader) {
    const raw = bytesOfField(reader.message(), 1)
    if (raw.length === 0) return null
    try {
      return JSON.parse(raw.toString()) as unknown
    } catch (error) {
      throw malformed(`the embedded object is not JSON: ${error instanceof Error ? error.message : String(error)}`)
    }
  },
  write(field, value, writer) {
    const mark = writer.mark
    writer.string(1, asJsonText(value))
    writer.message(field, mark)
  },
}

/** The last bytes that stand in a field of a message. */
function bytesOfField(message: ProtobufReader, field: number): Buffer {
  let found: Buffer = Buffer.alloc(0)
  while (message.next()) {
    if (message.field !== field) {
      message.skip()
      continue
    }
    message.expect(wireBytes, 'Raw')
    found = message.bytes()
  }
  return found
}

function orBoolCodec(schema: ValueCodec): ValueCodec {
  return {
    wire: wireBytes,
    read(reader) {
      let allows = false
      let described: unknown
      const message = reader.message()
      while (message.next()) {
        if (message.field === 1) {
          message.expect(wireVarint, 'Allows')
          allows = message.uint32() !== 0
        } else if (message.field === 2) {
          message.expect(wireBytes, 'Schema')
          described = schema.read(message)
        } else message.skip()
      }
      return described ?? allows
    },
    write(field, value, writer) {
      const mark = writer.mark
      if (isJsonObject(value)) schema.write(2, value, writer)
      writer.bool(1, value === true || isJsonObject(value))
      writer.message(field, mark)
    },
  }
}

function orListCodec(schema: ValueCodec, item: ValueCodec): ValueCodec {
  return {
    wire: wireBytes,
    read(reader) {
      const list: unknown[] = []
      let described: unknown
      const message = reader.message()
      while (message.next()) {
        if (message.field === 1) {
          message.expect(wireBytes, 'Schema')
          described = schema.read(message)
        } else if (message.field === 2) {
          message.expect(wireBytes, 'Items')
          list.push(item.read(message))
        } else message.skip()
      }
      return list.length > 0 ? list : (described ?? null)
    },
    write(field, value, writer) {
      const mark = writer.mark
      if (Array.isArray(value)) for (const each of value.toReversed()) item.write(2, each, writer)
      else schema.write(1, value, writer)
      writer.message(field, mark)
    },
  }
}

/** `{seconds=1, nanos=2}`; an empty message is Go's zero time, which JSON writes as null. */
function timeCodec(format: (seconds: number, nanos: number) => string): ValueCodec {
  return {
    wire: wireBytes,
    zero: null,
    read(reader) {
      const message = reader.message()
      if (message.atEnd) return null
      let seconds = 0
      let nanos = 0
      while (message.next()) {
        if (message.field > 2) {
          message.skip()
          continue
        }
        message.expect(wireVarint, 'Timestamp')
        if (message.field === 1) seconds = message.int64()
        else nanos = message.uint32()
      }
      return format(seconds, nanos)
    },
    write(field, value, writer) {
      const mark = writer.mark
      if (typeof value === 'string') {
        const millis = Date.parse(value)
        const fraction = /\.(\d{1,9})/.exec(value)?.[1] ?? ''
        writer.int(2, Number(fraction.padEnd(9, '0')))
        writer.int(1, Math.floor(millis / 1000))
      }
      writer.message(field, mark)
    },
  }
}

/** What `omitempty` leaves out when it is zero: not the scalars that are structs in Go. */
const plainScalars: ReadonlySet<string> = new Set(['string', 'bool', 'int32', 'int64', 'number', 'bytes'])

const minSeconds = -62_167_219_200 // year 0
const maxSeconds = 253_402_300_799 // year 9999

function secondsText(seconds: number): string {
  if (seconds < minSeconds || seconds > maxSeconds) throw malformed('Time.MarshalJSON: year outside of range [0,9999]')
  return new Date(seconds * 1000).toISOString().slice(0, 19)
}

const timeFormats = {
  time: (seconds: number) => `${secondsText(seconds)}Z`,
  microTime: (seconds: number, nanos: number) => `${secondsText(seconds)}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`,
}

const scalarCodecs: Readonly<Record<Extract<Schema, { kind: 'scalar' }>['scalar'], ValueCodec>> = {
  string: {
    wire: wireBytes,
    zero: '',
    read: (reader) => reader.string(),
    write: (field, value, writer) => writer.string(field, typeof value === 'string' ? value : ''),
  },
  bool: {
    wire: wireVarint,
    zero: false,
    read: (reader) => reader.int64() !== 0,
    write: (field, value, writer) => writer.bool(field, value === true),
  },
  int32: {
    wire: wireVarint,
    zero: 0,
    read: (reader) => reader.uint32() | 0,
    write: (field, value, writer) => writer.int(field, typeof value === 'number' ? Math.trunc(value) : 0),
  },
  int64: {
    wire: wireVarint,
    zero: 0,
    read: (reader) => reader.int64(),
    write: (field, value, writer) => writer.int(field, typeof value === 'number' ? Math.trunc(value) : 0),
  },
  number: {
    wire: wireFixed64,
    zero: 0,
    read: (reader) => reader.double(),
    write: (field, value, writer) => writer.double(field, typeof value === 'number' ? value : 0),
  },
  bytes: {
    wire: wireBytes,
    read: (reader) => reader.bytes().toString('base64'),
    write: (field, value, writer) => writer.bytes(field, Buffer.from(typeof value === 'string' ? value : '', 'base64')),
  },
  time: timeCodec(timeFormats.time),
  microTime: timeCodec(timeFormats.microTime),
  duration: {
    wire: wireBytes,
    zero: '0s',
    read(reader) {
      let nanoseconds = 0n
      const message = reader.message()
      while (message.next()) {
        if (message.field === 1) {
          message.expect(wireVarint, 'Duration')
          nanoseconds = message.bigint64()
        } else message.skip()
      }
      return canonicalDuration(`${nanoseconds}ns`)
    },
    write(field, value, writer) {
      const mark = writer.mark
      writer.int(1, nanosecondsOf(typeof value === 'string' ? value : ''))
      writer.message(field, mark)
    },
  },
  quantity: {
    wire: wireBytes,
    zero: '0',
    read(reader) {
      let text = ''
      const message = reader.message()
      while (message.next()) {
        if (message.field === 1) text = stringIn(message, 'String')
        else message.skip()
      }
      return text === '' ? '0' : text
    },
    write(field, value, writer) {
      const mark = writer.mark
      writer.string(1, typeof value === 'string' ? value : '0')
      writer.message(field, mark)
    },
  },
  intOrString: {
    wire: wireBytes,
    zero: 0,
    read(reader) {
      let isText = false
      let number = 0
      let text = ''
      const message = reader.message()
      while (message.next()) {
        if (message.field === 1) {
          message.expect(wireVarint, 'Type')
          isText = message.uint32() === 1
        } else if (message.field === 2) {
          message.expect(wireVarint, 'IntVal')
          number = message.uint32() | 0
        } else if (message.field === 3) text = stringIn(message, 'StrVal')
        else message.skip()
      }
      return isText ? text : number
    },
    write(field, value, writer) {
      const mark = writer.mark
      writer.string(3, typeof value === 'string' ? value : '')
      writer.int(2, typeof value === 'number' ? value : 0)
      writer.int(1, typeof value === 'string' ? 1 : 0)
      writer.message(field, mark)
    },
  },
}

const nanosecondsOfUnit: Readonly<Record<string, number>> = { ns: 1, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 }

/** A canonical duration (`1h0m0.5s`) in nanoseconds. */
function nanosecondsOf(text: string): bigint {
  let total = 0n
  for (const [, amount = '0', unit = 's'] of text.matchAll(/(\d+(?:\.\d+)?)(ns|µs|ms|h|m|s)/g)) {
    const scale = BigInt(nanosecondsOfUnit[unit] ?? 0)
    const [whole = '0', fraction = ''] = amount.split('.')
    total += BigInt(whole) * scale + (fraction === '' ? 0n : (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length))
  }
  return text.startsWith('-') ? -total : total
}
