import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { conformance } from '../src/conformance.ts'
import { defaultsRowOf, rulesRowOf } from '../rows.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'
import type { Answer, Api } from '../src/target.ts'

/** How an answer has to be: an object, the cells of a table, or errors, each `field: message` up to `maxErrorLength` characters. */
interface Outcome {
  readonly code: number
  readonly object?: Json
  readonly cells?: readonly unknown[]
  readonly errors?: readonly string[]
  readonly warnings?: readonly string[]
}

/** One object as somebody sends it, what becomes of it, and what becomes of changes to it. Recorded from a real server, one in each line of the file. */
interface Recorded extends Outcome {
  /** `group/version/resource`. */
  readonly resource: string
  readonly kind: string
  /** Absent: any name. */
  readonly name?: string
  readonly metadata?: Json
  readonly given: Json
  readonly steps?: readonly Step[]
  readonly deleted?: 'Status' | 'object'
}

interface Step extends Outcome {
  readonly put?: Json
  readonly patch?: Json
  readonly sub?: string
  readonly get?: true
  readonly table?: true
  /** A field selector; `count` is how often it finds the object. */
  readonly list?: string
  readonly count?: number
}

const maxErrorLength = 110
const tableAccept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
const namespaced = new Set([
  'ingresses',
  'networkpolicies',
  'endpointslices',
  'csistoragecapacities',
  'leases',
  'roles',
  'rolebindings',
  'resourceclaims',
  'resourceclaimtemplates',
])

function load(): readonly Recorded[] {
  const text = readFileSync(new URL('other-kinds.ndjson', import.meta.url), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Recorded)
}

function collectionOf({ resource }: Recorded, namespace = 'default'): string {
  const [group, version, plural = ''] = resource.split('/')
  return `/apis/${group}/${version}/${namespaced.has(plural) ? `namespaces/${namespace}/` : ''}${plural}`
}

function objectOf(recorded: Recorded, name: string): Json {
  const [group, version] = recorded.resource.split('/')
  return { apiVersion: `${group}/${version}`, kind: recorded.kind, metadata: { ...recorded.metadata, name }, ...recorded.given }
}

/** Whether others write its status in their own time: flow control where the priority level is missing, a controller what it finds in the expressions of a policy. */
function hasForeignStatus(kind: string): boolean {
  return kind === 'FlowSchema' || kind === 'ValidatingAdmissionPolicy'
}

/** What a server adds by itself, at its own time or of its own caller, is left out. */
function contentOf({ kind, apiVersion: _version, metadata, ...rest }: Json): Json {
  const { generation, finalizers } = metadata
  const unstable = new Set(['extra', 'lastTransitionTime', 'lastUpdateTime', 'timeAdded'])
  const content = JSON.parse(JSON.stringify(rest, (key, value: unknown) => (unstable.has(key) ? undefined : value))) as Json
  if (hasForeignStatus(kind)) delete content.status
  return { ...(generation === undefined ? {} : { generation }), ...(finalizers === undefined ? {} : { finalizers }), ...content }
}

function warningsOf({ headers }: Answer): string[] {
  return [headers['warning'] ?? []]
    .flat()
    .map((text) => text.replace(/^299 - "|"$/g, '').replaceAll('\\"', '"'))
    .filter((text) => !text.startsWith('unknown field'))
}

function outcomeOf(answer: Answer): Outcome {
  const { code, json } = answer
  if (json.kind === 'Status') {
    const causes: Json[] = json.details?.causes ?? []
    const errors = json.details?.causes === undefined ? [json.message] : causes.map(({ field, message }) => `${field}: ${message}`)
    return { code, errors: errors.map((text: string) => text.slice(0, maxErrorLength)).sort() }
  }
  if (json.kind === 'Table') {
    const shown = (_cell: unknown, i: number): boolean => i > 0 && !['Age', 'Created At'].includes(json.columnDefinitions[i]?.name ?? 'Age')
    return { code, cells: json.rows[0].cells.filter(shown) }
  }
  const warnings = warningsOf(answer)
  return { code, object: contentOf(json), ...(warnings.length === 0 ? {} : { warnings }) }
}

function expected({ code, object, cells, errors, warnings }: Outcome, kind: string): Outcome {
  const { status: _, ...withoutStatus } = (object ?? {}) as Json
  return {
    code,
    ...(object === undefined ? {} : { object: hasForeignStatus(kind) ? withoutStatus : object }),
    ...(cells === undefined ? {} : { cells }),
    ...(errors === undefined ? {} : { errors: [...errors].sort() }),
    ...(warnings === undefined ? {} : { warnings }),
  }
}

async function live(api: Api, t: TestContext, recorded: Recorded): Promise<void> {
  const { kind, steps = [] } = recorded
  const plural = recorded.resource.split('/').at(-1) ?? ''
  const namespace = namespaced.has(plural) ? (await api.namespace(t)).split('/').at(-1) : undefined
  const collection = collectionOf(recorded, namespace)
  const name = recorded.name ?? uniqueName('conformance')
  const target = `${collection}/${name}`
  t.after(async () => {
    await api.delete(target)
    // Nobody else lets go of it.
    await api.patch('merge', target, { metadata: { finalizers: null } })
  })
  const created = await api.post(collection, objectOf(recorded, name))
  assert.deepEqual(outcomeOf(created), expected(recorded, kind))
  for (const step of steps) {
    const address = step.sub === undefined ? target : `${target}/${step.sub}`
    if (step.list !== undefined) {
      const { code, json } = await api.get(`${collection}?fieldSelector=${step.list}`)
      assert.equal(code, step.code)
      if (step.errors !== undefined) assert.deepEqual([json.message], step.errors)
      if (step.count !== undefined) assert.equal(json.items.filter((item: Json) => item.metadata.name === name).length, step.count)
      continue
    }
    let answer: Answer
    if (step.table === true) answer = await api.get(address, { headers: { accept: tableAccept } })
    else if (step.put !== undefined) answer = await api.put(address, { ...objectOf(recorded, name), ...step.put })
    else if (step.patch !== undefined) answer = await api.patch('merge', address, step.patch)
    else answer = await api.get(address)
    assert.deepEqual(outcomeOf(answer), expected(step, kind), JSON.stringify(step))
  }
  const { json } = await api.delete(target)
  assert.equal(json.kind === 'Status' ? 'Status' : 'object', recorded.deleted)
}

export const otherKinds = conformance('other kinds', ({ api, claim }) => {
  const all = load()
  for (const resource of new Set(all.map((one) => one.resource))) {
    const own = all.filter((one) => one.resource === resource)
    const once = own.filter(({ steps }) => steps === undefined)
    const plural = resource.split('/').at(-1) ?? ''
    const kind = own[0]?.kind ?? ''
    if (once.length > 0) {
      claim(`completes and checks ${plural} (${defaultsRowOf(kind)}, ${rulesRowOf(kind)})`, async () => {
        for (const recorded of once) {
          const answer = await api.post(`${collectionOf(recorded)}?dryRun=All`, objectOf(recorded, recorded.name ?? 'c3'))
          assert.deepEqual(outcomeOf(answer), expected(recorded, recorded.kind), JSON.stringify(recorded.given))
        }
      })
    }
    own
      .filter(({ steps }) => steps !== undefined)
      .forEach((recorded, i) => {
        claim(`keeps to the rules of ${plural} while they live${i === 0 ? '' : `, ${i + 1}`} (9, ${rulesRowOf(kind)})`, (t) => live(api, t, recorded))
      })
  }

  claim('shows which classes are the default ones (9)', async () => {
    const cells = async (path: string, body: Json): Promise<unknown[]> => {
      const { code, json, text } = await api.post(`${path}?dryRun=All`, body, { headers: { accept: tableAccept } })
      assert.equal(code, 201, text)
      return json.rows[0].cells.slice(0, 2)
    }
    const storage = { metadata: { name: 'a', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } }, provisioner: 'example.com/x' }
    const ingress = { metadata: { name: 'a', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } }, spec: { controller: 'example.com/x' } }

    assert.deepEqual(await cells('/apis/storage.k8s.io/v1/storageclasses', storage), ['a (default)', 'example.com/x'])
    assert.deepEqual(await cells('/apis/networking.k8s.io/v1/ingressclasses', ingress), ['a (default)', 'example.com/x'])
  })

  claim('has the priority classes of the system and keeps them (M4)', async () => {
    const path = '/apis/scheduling.k8s.io/v1/priorityclasses'
    for (const [name, value] of [
      ['system-cluster-critical', 2_000_000_000],
      ['system-node-critical', 2_000_001_000],
    ] as const) {
      const found = await api.read(`${path}/${name}`)
      const refused = await api.delete(`${path}/${name}`)

      assert.deepEqual([found.value, found.metadata.generation, found.preemptionPolicy], [value, 1, 'PreemptLowerPriority'])
      assert.equal(refused.code, 403)
      assert.equal(refused.json.message, `priorityclasses.scheduling.k8s.io "${name}" is forbidden: this is a system priority class and cannot be deleted`)
    }
  })

  claim('has an APIService for each group and version that it serves itself (G1)', async () => {
    const { items } = await api.read('/apis/apiregistration.k8s.io/v1/apiservices')
    const local = items.filter(({ metadata }: Json) => metadata.labels?.['kube-aggregator.kubernetes.io/automanaged'] === 'onstart')

    assert.deepEqual(
      Object.fromEntries(local.map(({ metadata, spec }: Json) => [metadata.name, [spec.groupPriorityMinimum, spec.versionPriority]])),
      localApiServices,
    )
    for (const { status } of local) {
      const { lastTransitionTime, ...condition } = status.conditions[0]
      assert.match(lastTransitionTime, /^\d{4}-/)
      assert.deepEqual(condition, { type: 'Available', status: 'True', reason: 'Local', message: 'Local APIServices are always available' })
    }
  })

  claim('adds and takes away the APIService of custom resources with their definition (G1)', async (t) => {
    const group = `${uniqueName('c3')}.example.com`
    const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    await api.createForTest(t, definitions, {
      metadata: { name: `foos.${group}` },
      spec: {
        group,
        scope: 'Cluster',
        names: { plural: 'foos', kind: 'Foo' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    } as Json)
    const path = `/apis/apiregistration.k8s.io/v1/apiservices/v1.${group}`

    const { json } = await api.eventually(path, ({ code }) => code === 200)
    await api.delete(`${definitions}/foos.${group}`)
    await api.eventually(path, ({ code }) => code === 404)

    assert.deepEqual(json.spec, { group, version: 'v1', groupPriorityMinimum: 1000, versionPriority: 100 })
    assert.deepEqual(json.metadata.labels, { 'kube-aggregator.kubernetes.io/automanaged': 'true' })
  })

  claim('has the flow schemas and priority levels of every cluster (G3)', async () => {
    const path = '/apis/flowcontrol.apiserver.k8s.io/v1'
    const schemas = (await api.read(`${path}/flowschemas`)).items
    const levels = (await api.read(`${path}/prioritylevelconfigurations`)).items
    const named = (items: Json[], names: readonly string[]): Json[] => items.filter(({ metadata }) => names.includes(metadata.name))

    assert.deepEqual(
      Object.fromEntries(
        named(schemas, Object.keys(flowSchemas)).map(({ metadata, spec }) => [
          metadata.name,
          [spec.priorityLevelConfiguration.name, spec.matchingPrecedence, spec.distinguisherMethod?.type],
        ]),
      ),
      flowSchemas,
    )
    for (const { metadata, status } of named(schemas, Object.keys(flowSchemas))) {
      assert.deepEqual(metadata.annotations, { 'apf.kubernetes.io/autoupdate-spec': 'true' })
      assert.deepEqual([status.conditions[0].type, status.conditions[0].status, status.conditions[0].reason], ['Dangling', 'False', 'Found'])
    }
    assert.deepEqual(
      Object.fromEntries(
        named(levels, Object.keys(priorityLevels)).map(({ metadata, spec }) => {
          const { nominalConcurrencyShares, lendablePercent, limitResponse } = spec.limited ?? spec.exempt
          return [metadata.name, [nominalConcurrencyShares, lendablePercent, limitResponse?.queuing?.queues, limitResponse?.queuing?.handSize]]
        }),
      ),
      priorityLevels,
    )
  })

  claim('says of a flow schema whether its priority level is there (G3)', async (t) => {
    const path = '/apis/flowcontrol.apiserver.k8s.io/v1'
    const [name, level] = [uniqueName('conformance'), uniqueName('conformance')]
    const isDangling =
      (status: string) =>
      ({ json }: Answer): boolean =>
        (json.status?.conditions ?? []).some((condition: Json) => condition.type === 'Dangling' && condition.status === status)
    await api.createForTest(t, `${path}/flowschemas`, { metadata: { name }, spec: { priorityLevelConfiguration: { name: level } } } as Json)

    const missing = (await api.eventually(`${path}/flowschemas/${name}`, isDangling('True'))).json.status.conditions[0]
    await api.createForTest(t, `${path}/prioritylevelconfigurations`, {
      metadata: { name: level },
      spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } },
    } as Json)
    const found = (await api.eventually(`${path}/flowschemas/${name}`, isDangling('False'))).json.status.conditions[0]

    const text = `This FlowSchema references the PriorityLevelConfiguration object named "${level}"`
    assert.deepEqual([missing.reason, missing.message], ['NotFound', `${text} but there is no such object`])
    assert.deepEqual([found.reason, found.message], ['Found', `${text} and it exists`])
  })

  claim('has its own service network as an object, ready (9)', async () => {
    const { spec, status } = await api.read('/apis/networking.k8s.io/v1/servicecidrs/kubernetes')

    assert.match(spec.cidrs[0], /^\d+\.\d+\.\d+\.\d+\/\d+$/)
    assert.deepEqual([status.conditions[0].type, status.conditions[0].status], ['Ready', 'True'])
  })
})

const localApiServices = {
  'v1.': [18000, 1],
  'v1.admissionregistration.k8s.io': [16700, 15],
  'v1.apiextensions.k8s.io': [16700, 15],
  'v1.apps': [17800, 15],
  'v1.authentication.k8s.io': [17700, 15],
  'v1.authorization.k8s.io': [17600, 15],
  'v1.autoscaling': [17500, 15],
  'v2.autoscaling': [17500, 30],
  'v1.batch': [17400, 15],
  'v1.certificates.k8s.io': [17300, 15],
  'v1.coordination.k8s.io': [16500, 15],
  'v1.discovery.k8s.io': [16200, 15],
  'v1.events.k8s.io': [17750, 15],
  'v1.flowcontrol.apiserver.k8s.io': [16100, 21],
  'v1.networking.k8s.io': [17200, 15],
  'v1.node.k8s.io': [16300, 15],
  'v1.policy': [17100, 15],
  'v1.rbac.authorization.k8s.io': [17000, 15],
  'v1.resource.k8s.io': [16200, 21],
  'v1.scheduling.k8s.io': [16600, 15],
  'v1.storage.k8s.io': [16800, 15],
}

/** Priority level, precedence, what makes a flow. */
const flowSchemas = {
  exempt: ['exempt', 1, undefined],
  probes: ['exempt', 2, undefined],
  'system-leader-election': ['leader-election', 100, 'ByUser'],
  'system-node-high': ['node-high', 400, 'ByUser'],
  'system-nodes': ['system', 500, 'ByUser'],
  'kube-controller-manager': ['workload-high', 800, 'ByNamespace'],
  'kube-scheduler': ['workload-high', 800, 'ByNamespace'],
  'kube-system-service-accounts': ['workload-high', 900, 'ByNamespace'],
  'service-accounts': ['workload-low', 9000, 'ByUser'],
  'global-default': ['global-default', 9900, 'ByUser'],
  'catch-all': ['catch-all', 10_000, 'ByUser'],
}

/** Shares, percent to lend, queues, queues that a flow is dealt. */
const priorityLevels = {
  exempt: [0, 0, undefined, undefined],
  'catch-all': [5, 0, undefined, undefined],
  system: [30, 33, 64, 6],
  'node-high': [40, 25, 64, 6],
  'leader-election': [10, 0, 16, 4],
  'workload-high': [40, 50, 128, 6],
  'workload-low': [100, 90, 128, 6],
  'global-default': [20, 50, 128, 6],
}
