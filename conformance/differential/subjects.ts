import { readFileSync } from 'node:fs'
import { parseYaml } from '@gantry/apimachinery'
import type { Json } from '../src/json.ts'
import type { Api } from '../src/target.ts'
import { FieldSchemas } from './field-schemas.ts'
import { Mutations } from './mutations.ts'

/** An object that is mutated, and where it belongs. */
export interface Subject {
  /** `Deployment` or, of a kind that several groups or versions have, `Event.events.k8s.io/v1`. */
  readonly kind: string
  readonly manifest: Json
  /** Path of what its objects are created in. */
  readonly collection: string
  /** Of a namespace of its own; undefined for a kind of the cluster. */
  readonly namespace: string | undefined
  /** Reviews are created and nothing else. */
  readonly isKept: boolean
  readonly hasStatus: boolean
  readonly mutations: Mutations
}

interface Served {
  readonly plural: string
  readonly namespaced: boolean
  readonly hasStatus: boolean
  readonly isKept: boolean
}

/** What every namespace of a run begins with. */
const namespacePrefix = 'differential-'
const manifestsFile = new URL('manifests.yaml', import.meta.url)

/** The manifests with what `api` serves them as; `only` narrows them to some kinds. */
export async function readSubjects(api: Api, only: readonly string[]): Promise<readonly Subject[]> {
  const served = await discover(api)
  const documents = readFileSync(manifestsFile, 'utf8').split(/^---$/m)
  const seen = new Map<string, string>()
  const found: Omit<Subject, 'mutations'>[] = []
  for (const document of documents) {
    const apart = parseYaml(document).value as Json
    const { apiVersion, kind } = apart
    const is = served.get(`${apiVersion} ${kind}`)
    if (is === undefined) throw new Error(`nobody serves ${kind} of ${apiVersion}`)
    const first = seen.get(kind) ?? apiVersion
    seen.set(kind, first)
    const namespace = `${namespacePrefix}${is.plural}${first === apiVersion ? '' : '-other'}`
    const manifest = parseYaml(document.replaceAll('$NAMESPACE', namespace)).value as Json
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
    found.push({
      kind: first === apiVersion ? kind : `${kind}.${apiVersion}`,
      manifest,
      collection: `${root}/${is.namespaced ? `namespaces/${namespace}/` : ''}${is.plural}`,
      namespace: is.namespaced ? namespace : undefined,
      isKept: is.isKept,
      hasStatus: is.hasStatus,
    })
  }
  for (const name of only) if (!found.some(({ kind }) => kind === name)) throw new Error(`there is no manifest of the kind ${name}`)
  const wanted = only.length === 0 ? found : found.filter(({ kind }) => only.includes(kind))
  const schemas = await FieldSchemas.read(
    api,
    wanted.map(({ manifest }) => manifest.apiVersion),
  )
  return wanted.map((subject) => ({ ...subject, mutations: new Mutations(schemas, schemas.ofKind(subject.manifest.apiVersion, subject.manifest.kind)) }))
}

/** What is served, by `apiVersion kind`. */
async function discover(api: Api): Promise<ReadonlyMap<string, Served>> {
  const served = new Map<string, Served>()
  for (const path of ['/api', '/apis']) {
    const answer = await api.get(path, { headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' } })
    for (const { metadata, versions } of answer.json.items)
      for (const { version, resources } of versions)
        for (const { resource, responseKind, scope, verbs, subresources } of resources)
          served.set(`${metadata.name === undefined ? '' : `${metadata.name}/`}${version} ${responseKind.kind}`, {
            plural: resource,
            namespaced: scope === 'Namespaced',
            hasStatus: (subresources ?? []).some(({ subresource }: Json) => subresource === 'status'),
            isKept: verbs.includes('update'),
          })
  }
  return served
}
