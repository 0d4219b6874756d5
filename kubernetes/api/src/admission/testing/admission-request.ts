import type { AdmissionRequest, ApiObject } from '@gantry/apiserver'

interface Asked {
  /** `pods`, `leases.coordination.k8s.io`. */
  readonly resource: string
  readonly operation?: AdmissionRequest['operation']
  readonly subresource?: string
  readonly namespace?: string | undefined
  readonly name?: string
  readonly object?: unknown
  readonly oldObject?: unknown
  readonly username?: string
  readonly groups?: readonly string[]
  readonly dryRun?: boolean
  readonly warnings?: string[]
}

/** A request as plug-ins get it, for their tests: a create by an administrator where nothing else is said. */
export function admissionRequest(asked: Asked): AdmissionRequest {
  const [plural = '', ...group] = asked.resource.split('.')
  const object = asked.object as ApiObject | undefined
  return {
    operation: asked.operation ?? 'CREATE',
    definition: {
      group: group.join('.'),
      version: 'v1',
      kind: plural,
      listKind: '',
      plural,
      singular: '',
      namespaced: asked.namespace !== undefined,
      schema: { kind: 'object', name: '', fields: [] } as never,
    },
    subresource: asked.subresource ?? '',
    namespace: asked.namespace,
    name: asked.name ?? object?.metadata.name ?? '',
    object,
    oldObject: asked.oldObject as ApiObject | undefined,
    context: {
      user: { username: asked.username ?? 'admin', groups: [...(asked.groups ?? ['system:masters'])] },
      dryRun: asked.dryRun ?? false,
      now: new Date('2026-01-01T00:00:00Z'),
      warn: (text) => void asked.warnings?.push(text),
    },
  }
}

/** What a plug-in says to a request: undefined when it lets it through. */
export async function answerOf(decide: () => unknown): Promise<string | undefined> {
  try {
    await decide()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
