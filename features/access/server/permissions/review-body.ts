import { createProtobufCodec, StatusError } from '@gantry/apimachinery'
import type { ObjectSchema, Schema } from '@gantry/apimachinery'
import { readJson } from '@gantry/gateway'
import { BodyTooLarge, header } from '@gantry/runtime'
import type { HttpRequest } from '@gantry/runtime'

const text: Schema = { kind: 'scalar', scalar: 'string' }
const bodyBytes = 256 << 10

/** What is read of `authorization.k8s.io/v1`, by the numbers of its fields. */
const specs: Readonly<Record<string, ObjectSchema>> = {
  SelfSubjectAccessReview: messageOf({
    resourceAttributes: [
      1,
      messageOf({ namespace: [1, text], verb: [2, text], group: [3, text], version: [4, text], resource: [5, text], subresource: [6, text], name: [7, text] }),
    ],
    nonResourceAttributes: [2, messageOf({ path: [1, text], verb: [2, text] })],
  }),
  SelfSubjectRulesReview: messageOf({ namespace: [1, text] }),
  SelfSubjectReview: messageOf({}),
}

/** The self review that a request carries, in JSON or in protobuf, as kubectl sends it. Throws BadRequest or RequestEntityTooLarge. */
export async function readReview(request: HttpRequest): Promise<Readonly<Record<string, unknown>>> {
  if (header(request.headers, 'content-type')?.startsWith('application/vnd.kubernetes.protobuf') !== true) return readJson(request, bodyBytes)
  const codec = createProtobufCodec({ get: () => undefined })
  const { apiVersion, kind, raw } = codec.decodeEnvelope(await reviewBytes(request))
  const spec = specs[kind]
  if (spec === undefined) throw new StatusError('BadRequest', `the body is no review of oneself but ${JSON.stringify(kind)}`)
  return { apiVersion, kind, ...codec.decode(messageOf({ spec: [2, spec] }), raw) }
}

/** Throws RequestEntityTooLarge. */
export async function reviewBytes({ body }: HttpRequest): Promise<Buffer> {
  try {
    return (await body?.bytes(bodyBytes)) ?? Buffer.alloc(0)
  } catch (error) {
    if (error instanceof BodyTooLarge) throw new StatusError('RequestEntityTooLarge', error.message)
    throw error
  }
}

function messageOf(fields: Readonly<Record<string, readonly [number, Schema]>>): ObjectSchema {
  return {
    kind: 'object',
    fields: Object.entries(fields).map(([name, [number, schema]]) => ({ name, number, schema, omitEmpty: true, pointer: schema.kind === 'object' })),
  }
}
