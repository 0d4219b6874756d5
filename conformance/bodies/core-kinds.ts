import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'
import type { Answer, Api } from '../src/target.ts'

/** One request and what a real server has answered to it. `$NS` is the namespace's path, `$NAMESPACE` its name, `$ID` a name of the run. */
interface Step {
  readonly method: string
  readonly target: string
  readonly body?: Json
  readonly type?: string
  readonly code: number
  /** `reason field: message`, sorted; each up to `maxCauseLength` characters. */
  readonly causes?: readonly string[]
  readonly message?: string
  /** What an object is without what the server makes up. */
  readonly object?: Json
}

/** Steps of one claim, in order: one line of the file. */
interface Recorded {
  readonly claim: string
  readonly steps: readonly Step[]
}

const maxCauseLength = 400
const madeUp = ['uid', 'resourceVersion', 'creationTimestamp', 'managedFields', 'name', 'namespace']

function load(): readonly Recorded[] {
  const text = readFileSync(new URL('core-kinds.ndjson', import.meta.url), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Recorded)
}

/** Addresses, ports and times differ from cluster to cluster and from run to run. */
function comparable(value: Json): Json {
  const text = JSON.stringify(value)
    .replace(/kube-api-access-\w{5}/g, 'kube-api-access-x')
    .replace(/"20\d\d-\d\d-\d\dT[\d:]+Z"/g, '"TIME"')
    .replace(/10\.(?:43|96)\.\d+\.\d+/g, 'ADDRESS')
    .replace(/(odePort":)3\d{4}/g, '$13')
  return JSON.parse(text)
}

function objectOf(json: Json): Json {
  const { metadata, ...rest } = json
  return comparable({ ...rest, metadata: Object.fromEntries(Object.entries(metadata ?? {}).filter(([field]) => !madeUp.includes(field))) })
}

/** An answer in the form in which answers are recorded. */
function outcomeOf({ code, json }: Answer): Pick<Step, 'code' | 'causes' | 'message' | 'object'> {
  if (json?.kind !== 'Status') return { code, object: objectOf(json) }
  const causes = (json.details?.causes ?? []).map(({ reason, field, message }: Json) => `${reason} ${field}: ${message}`.slice(0, maxCauseLength))
  if (causes.length > 0) return { code, causes: comparable(causes.sort()) }
  return { code, message: json.message === undefined ? undefined : comparable([json.message])[0] }
}

async function replay(api: Api, t: TestContext, steps: readonly Step[]): Promise<void> {
  const namespace = await api.namespace(t)
  const id = uniqueName('core')
  const fill = (text: string): string =>
    text
      .replaceAll('$NAMESPACE', namespace.slice(namespace.lastIndexOf('/') + 1))
      .replaceAll('$NS', namespace)
      .replaceAll('$ID', id)
  for (const step of steps) {
    const options = { contentType: step.type, ...(step.body === undefined ? {} : { body: JSON.parse(fill(JSON.stringify(step.body))) }) }
    const answer = await api.send(step.method, fill(step.target), options)
    const { code, causes, message, object } = step
    assert.deepEqual(
      JSON.parse(JSON.stringify(outcomeOf(answer))),
      JSON.parse(fill(JSON.stringify({ code, causes, message, object }))),
      `${step.method} ${step.target} ${JSON.stringify(step.body)}`,
    )
  }
}

export const coreKinds = conformance('core kinds', ({ api, claim }) => {
  for (const { claim: name, steps } of load()) claim(name, (t) => replay(api, t, steps))
})
