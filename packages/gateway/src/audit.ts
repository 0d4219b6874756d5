/** What is on record of a request, in upstream's words: nothing; who, what and what came of it; what was sent as well; the answer too. */
export type AuditLevel = 'None' | 'Metadata' | 'Request' | 'RequestResponse'

/**
 * One entry of the audit log. What streams (watches, logs, exec) has two: `started` when the answer begins and `ended`. Holds no header but the user agent, of the query only what
 * Kubernetes' own parameters say, and bodies only where the level asks for them.
 */
export interface AuditEvent {
  /** RFC 3339 in UTC, with milliseconds: when this was written. */
  readonly time: string
  readonly auditID: string
  readonly stage: 'complete' | 'started' | 'ended'
  /** Absent for callers whom only the hub's own authenticators know. */
  readonly user?: string | undefined
  readonly groups?: readonly string[] | undefined
  /** Names the session or key. */
  readonly credential?: string | undefined
  /** Common name of the client certificate that the hub's own authenticators are given. */
  readonly certificate?: string | undefined
  readonly sourceIP?: string | undefined
  readonly userAgent?: string | undefined
  readonly method: string
  /** `*` for all of them at once. Absent for paths of the platform's own. */
  readonly cluster?: string | undefined
  readonly verb?: string | undefined
  /** The six are there when the request names a resource; the core group is the empty one. */
  readonly apiGroup?: string | undefined
  readonly version?: string | undefined
  readonly resource?: string | undefined
  readonly subresource?: string | undefined
  readonly namespace?: string | undefined
  readonly name?: string | undefined
  /** Where it names no resource: the path as received. */
  readonly path?: string | undefined
  readonly query?: string | undefined
  readonly decision: 'allow' | 'deny' | 'pass'
  readonly reason?: string | undefined
  readonly status: number
  readonly latencyMs: number
  /** Of the body or the conversation, when it has ended. */
  readonly bytesIn?: number | undefined
  readonly bytesOut?: number | undefined
  /** As it was read by whoever answered; nothing of what was refused before. */
  readonly requestBody?: string | undefined
  /** Why it is not here. */
  readonly requestBodyOmitted?: string | undefined
  readonly responseBody?: string | undefined
  readonly responseBodyOmitted?: string | undefined
  /** Names the recording of the session. */
  readonly recording?: string | undefined
  /** Why the recording ends before the session did. */
  readonly recordingCut?: string | undefined
}

export interface AuditSink {
  write(event: AuditEvent): void
}

/** What may be shown of a query: parameters of Kubernetes' API that say how something is read or written. Whatever else an application takes may be a secret. */
const shownParameters: ReadonlySet<string> = new Set(
  [
    'allowWatchBookmarks container dryRun fieldManager fieldValidation follow force gracePeriodSeconds limit limitBytes orphanDependents ports pretty previous',
    'propagationPolicy resourceVersion resourceVersionMatch sendInitialEvents sinceSeconds sinceTime stderr stdin stdout tailLines timeoutSeconds timestamps tty watch',
  ].flatMap((line) => line.split(' ')),
)
const selectors: ReadonlySet<string> = new Set(['fieldSelector', 'labelSelector'])
/** Words, numbers and times: no second parameter hides in a value, whatever another reader takes for a separator. */
const plainValue = /^[\w.:+/%-]{0,64}$/
const selectorValue = /^[\w.,:()!=~+/%-]{0,256}$/
const longestPath = 2_048
const mostParameters = 32
/** Arguments of a program may be passwords: its name stands for all of them. */
const commandParameter = 'command'
const hidden = '…'

/** A query as the audit log shows it: the names of all parameters, and the values of those that hold no secret. */
export function auditQuery(query: string): string | undefined {
  if (query === '') return undefined
  const shown: string[] = []
  let isProgram = true
  for (const part of query.split('&', mostParameters + 1)) {
    if (shown.length === mostParameters) {
      shown.push(hidden)
      break
    }
    const equals = part.indexOf('=')
    const name = equals === -1 ? part : part.slice(0, equals)
    const value = equals === -1 ? '' : part.slice(equals + 1)
    const isShown = isProgramName(name) || shownParameters.has(name) ? plainValue.test(value) : selectors.has(name) && selectorValue.test(value)
    // Without a value the whole of it could be one: base64 ends with equals signs.
    if (/^=*$/.test(value)) shown.push(isShown ? name : hidden)
    else shown.push(`${plainValue.test(name) ? name : hidden}=${isShown ? value : hidden}`)
  }
  return shown.join('&')

  function isProgramName(name: string): boolean {
    if (name !== commandParameter || !isProgram) return false
    isProgram = false
    return true
  }
}

/** A path as the audit log shows it. */
export function auditPath(path: string): string {
  return cut(path, longestPath)
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}${hidden}` : text
}
