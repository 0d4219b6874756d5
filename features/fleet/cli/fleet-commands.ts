import { type TableColumnDefinition } from '@gantry/apimachinery'
import { formatAge, textOption, UsageError, type Command, type CommandContext, type Output, type OutputColumn, type PlatformConnection } from '@gantry/cli-kit'
import { discoverResources, errorOfResponse, resourcePath, type DiscoveredResource, type KubeClient, type KubeObject } from '@gantry/client'
import { readWholeBody, type Clock } from '@gantry/runtime'
import { clusterLabel, parseSearch, searchExamples, type SearchAnswer, type SearchItem } from '../api/index.ts'

const fleet = '/fleet'
const pageSize = 500
const answerBytes = 64 << 20
const tableAccept = 'application/json;as=Table;g=meta.k8s.io;v=v1'
const mostFound = 10_000

interface Table {
  readonly columnDefinitions?: readonly TableColumnDefinition[] | null
  readonly rows?: readonly { readonly cells: readonly unknown[]; readonly object: KubeObject }[]
  readonly metadata?: { readonly continue?: string }
}

interface TableObject extends KubeObject {
  readonly cells: Readonly<Record<string, unknown>>
}

/** `gantry fleet …` */
export function fleetCommands(deps: { readonly clock: Clock }): readonly Command[] {
  return [
    {
      name: 'fleet get',
      summary: 'Objects of one kind in all clusters',
      positionals: ['KIND'],
      options: {
        cluster: { type: 'string', value: 'NAMES', description: 'Only in these clusters, with commas between them' },
        namespace: { type: 'string', value: 'NAME', description: 'Only in this namespace' },
        selector: { type: 'string', value: 'LABELS', description: 'Only with these labels, as kubectl takes them' },
        wide: { type: 'boolean', description: 'More columns' },
      },
      examples: ['gantry fleet get pods', 'gantry fleet get deployments --cluster east,west --selector app=web'],
      async run({ positionals, options, context }) {
        await using platform = await context.connect()
        const resource = await resourceNamed(platform.hub, positionals[0] ?? '', context.signal)
        const clusters = textOption(options, 'cluster')
        const selector = [textOption(options, 'selector'), clusters === undefined ? undefined : `${clusterLabel} in (${clusters})`].filter(
          (part) => part !== undefined,
        )
        const path = fleet + resourcePath(resource, { namespace: textOption(options, 'namespace') })
        return await getTable(platform, context, { path, selector: selector.join(','), wide: options['wide'] === true, resource })
      },
    },
    {
      name: 'fleet search',
      summary: 'Objects of any kind in all clusters, by name, namespace, label, image, owner, status or any text',
      positionals: ['QUERY'],
      options: { limit: { type: 'string', value: 'N', description: 'At most so many (100)' } },
      examples: searchExamples.map((example) => `gantry fleet search '${example}'`),
      async run({ positionals, options, context }) {
        const [query = ''] = positionals
        const limit = Number(textOption(options, 'limit') ?? 100)
        if (!Number.isSafeInteger(limit) || limit < 1 || limit > mostFound) throw new UsageError(`--limit is a number from 1 to ${mostFound}`)
        try {
          parseSearch(query)
        } catch (error) {
          throw new UsageError(error instanceof Error ? error.message : String(error))
        }
        await using platform = await context.connect()
        return await search(platform, context, { query, limit, now: deps.clock.now() })
      },
    },
  ]
}

async function resourceNamed(hub: KubeClient, text: string, signal: AbortSignal): Promise<DiscoveredResource> {
  const asked = text.toLowerCase()
  const { resources } = await discoverResources({ request: (request) => hub.request({ ...request, path: fleet + request.path }) }, { signal })
  const found = resources.find(
    ({ resource, group, kind, preferred }) => preferred && (resource === asked || kind.toLowerCase() === asked || `${resource}.${group}` === asked),
  )
  if (found === undefined) throw new UsageError(`no cluster serves the kind "${text}": "kubectl api-resources" shows the known ones`)
  return found
}

async function getTable(
  platform: PlatformConnection,
  context: CommandContext,
  { path, selector, wide, resource }: { readonly path: string; readonly selector: string; readonly wide: boolean; readonly resource: DiscoveredResource },
): Promise<Output> {
  const objects: TableObject[] = []
  let columns: readonly TableColumnDefinition[] = []
  let token = ''
  do {
    const query = new URLSearchParams({
      limit: String(pageSize),
      ...(selector === '' ? {} : { labelSelector: selector }),
      ...(token === '' ? {} : { continue: token }),
    })
    const response = await platform.hub.request({ method: 'GET', path, query: query.toString(), headers: { accept: tableAccept }, signal: context.signal })
    const body = await readWholeBody(response, answerBytes)
    if (response.status !== 200) throw errorOfResponse(response.status, response.headers, body, { verb: 'list', what: resource.resource })
    if (token === '') tellWarnings(response.headers['warning'], context)
    const table = JSON.parse(body.toString('utf8')) as Table
    columns = table.columnDefinitions ?? columns
    for (const { cells, object } of table.rows ?? []) objects.push({ ...object, cells: Object.fromEntries(columns.map(({ name }, at) => [name, cells[at]])) })
    token = table.metadata?.continue ?? ''
  } while (token !== '')
  const shown = columns.filter(({ priority }) => wide || priority === 0)
  const cell = (name: string): OutputColumn => ({ name, value: ({ cells }: TableObject) => printable(cells[name]) })
  const [cluster, ...others] = shown.map(({ name }) => cell(name))
  const namespace: OutputColumn = { name: 'Namespace', value: ({ metadata }: TableObject) => metadata.namespace }
  return {
    kind: 'objects',
    objects,
    resource: resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`,
    columns: [...(cluster === undefined ? [] : [cluster]), ...(resource.namespaced ? [namespace] : []), ...others],
  }
}

async function search(
  platform: PlatformConnection,
  context: CommandContext,
  { query, limit, now }: { readonly query: string; readonly limit: number; readonly now: Date },
): Promise<Output> {
  const found: (SearchItem & KubeObject)[] = []
  let token: string | undefined
  do {
    const asked = new URLSearchParams({
      q: query,
      limit: String(Math.min(limit - found.length, pageSize)),
      ...(token === undefined ? {} : { continue: token }),
    })
    const answer = (await platform.call('GET', `/platform/v1/fleet/search?${asked.toString()}`, { signal: context.signal })) as SearchAnswer
    for (const item of answer.items) found.push({ ...item, metadata: metadataOf(item) })
    if (token === undefined) {
      for (const { name, phase, problem } of answer.clusters) {
        if (phase !== 'live' && phase !== 'notServed')
          context.note(`cluster "${name}" is ${phase === 'failed' ? 'missing' : phase}${problem === undefined ? '' : `: ${problem}`}`)
      }
    }
    token = answer.continue
  } while (token !== undefined && found.length < limit)
  if (token !== undefined) context.note(`there are more: --limit shows up to ${mostFound}`)
  return {
    kind: 'objects',
    objects: found,
    resource: 'object',
    columns: [
      { name: 'Cluster', value: ({ cluster }: SearchItem) => cluster },
      { name: 'Kind', value: ({ kind }: SearchItem) => kind },
      { name: 'Namespace', value: ({ namespace }: SearchItem) => namespace },
      { name: 'Name', value: ({ name }: SearchItem) => name },
      { name: 'Status', value: ({ status }: SearchItem) => status },
      { name: 'Age', value: ({ created }: SearchItem) => formatAge(created, now) },
    ],
  }
}

function metadataOf({ name, namespace, labels, created }: SearchItem): KubeObject['metadata'] {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(labels === undefined ? {} : { labels }),
    ...(created === undefined ? {} : { creationTimestamp: created }),
  }
}

function tellWarnings(header: string | readonly string[] | undefined, context: CommandContext): void {
  const text = header === undefined ? '' : typeof header === 'string' ? header : header.join(', ')
  for (const [, warning] of text.matchAll(/299 - "([^"]*)"/g)) if (warning !== undefined) context.note(`warning: ${warning}`)
}

function printable(cell: unknown): string | number | undefined {
  return typeof cell === 'string' || typeof cell === 'number' ? cell : undefined
}
