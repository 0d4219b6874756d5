import {
  fieldSelectorOf,
  labelSelectorOf,
  parseFieldSelector,
  parseLabelSelector,
  StatusError,
  type FieldRequirement,
  type FieldSelector,
  type LabelSelector,
  type RequestInfo,
} from '@gantry/apimachinery'
import { clusterLabel, splitName } from '../api/index.ts'
import type { MemberFeed, RowChange } from './member-feed.ts'
import { rowWord } from './row-table.ts'
import { grown, type StringPool } from './string-pool.ts'

/** What a list or a watch asks for, taken apart into what says which clusters and what is asked inside each. */
export interface Selection {
  readonly hasCluster: (cluster: string) => boolean
  readonly namespace: string | undefined
  readonly labels: LabelSelector
  readonly fields: FieldSelector
  /** `labelSelector` and `fieldSelector` as a member understands them. */
  readonly memberQuery: string
}

const nameField = /(?:^|\.)name$/

/** Throws BadRequest. */
export function selectionOf(info: RequestInfo, clusters: readonly string[]): Selection {
  const wanted: ((cluster: string) => boolean)[] = []
  const only = (cluster: string): void => void wanted.push((other) => other === cluster)

  const asked = parseLabelSelector(info.query.get('labelSelector') ?? '')
  const ofCluster = labelSelectorOf(asked.requirements.filter(({ key }) => key === clusterLabel))
  if (!ofCluster.matchesEverything) wanted.push((cluster) => ofCluster.matches({ [clusterLabel]: cluster }))
  const labels = labelSelectorOf(asked.requirements.filter(({ key }) => key !== clusterLabel))

  const namespace = info.namespace === undefined ? undefined : splitName(info.namespace, clusters)
  if (namespace?.cluster !== undefined) only(namespace.cluster)

  const fields = fieldSelectorOf(
    parseFieldSelector(info.query.get('fieldSelector') ?? '').requirements.map((requirement): FieldRequirement => {
      if (!nameField.test(requirement.field)) return requirement
      const { cluster, name } = splitName(requirement.value, clusters)
      if (cluster === undefined) return requirement
      if (requirement.operator === '!=') {
        throw new StatusError(
          'BadRequest',
          `invalid field selector: ${requirement.field}!=${requirement.value}: leave the cluster out of the name, or select by ${clusterLabel}`,
        )
      }
      only(cluster)
      return { ...requirement, value: name }
    }),
  )
  const memberQuery = new URLSearchParams()
  if (!labels.matchesEverything) memberQuery.set('labelSelector', labels.toString())
  if (!fields.matchesEverything) memberQuery.set('fieldSelector', fields.toString())
  return { hasCluster: (cluster) => wanted.every((wants) => wants(cluster)), namespace: namespace?.name, labels, fields, memberQuery: memberQuery.toString() }
}

/** The fields that the cache of a kind cannot select by. */
export function unknownFields({ fields }: Selection, known: readonly string[]): readonly string[] {
  return fields.requirements.map(({ field }) => field).filter((field) => field !== 'metadata.name' && field !== 'metadata.namespace' && !known.includes(field))
}

/** Remembers an answer for each string of a pool: what many rows share is asked once. */
export class StringTest {
  readonly #pool: StringPool
  readonly #test: (text: string) => boolean
  /** Twice the version of the string, plus the answer. */
  #answers = new Uint32Array(0)

  constructor(pool: StringPool, test: (text: string) => boolean) {
    this.#pool = pool
    this.#test = test
  }

  matches(id: number): boolean {
    if (id >= this.#answers.length) {
      this.#answers = grown(this.#answers, this.#pool.capacity)
    }
    const version = this.#pool.versionOf(id) + 1
    const known = this.#answers[id] ?? 0
    if (known >>> 1 === version) return known % 2 === 1
    const answer = this.#test(this.#pool.text(id))
    this.#answers[id] = version * 2 + (answer ? 1 : 0)
    return answer
  }
}

/** Decides about a row where it lies. */
export type RowTest = (feed: MemberFeed, slot: number) => boolean

/** A test of rows whose strings may stand in several pools: made once for each. */
export function inEachPool(make: (pool: StringPool) => RowTest): RowTest {
  const made = new Map<StringPool, RowTest>()
  return (feed, slot) => {
    const { pool } = feed.table
    let test = made.get(pool)
    if (test === undefined) made.set(pool, (test = make(pool)))
    return test(feed, slot)
  }
}

/** Whether rows are selected. */
export function rowTest(selection: Selection): RowTest {
  return inEachPool((pool) => rowTestIn(selection, pool))
}

function rowTestIn(selection: Selection, pool: StringPool): RowTest {
  const { labels, fields, namespace } = selection
  const ofLabels = labels.matchesEverything ? undefined : new StringTest(pool, (json) => labels.matches(parsed(json)))
  const ofNamespace = namespace === undefined ? undefined : new StringTest(pool, (text) => text === namespace)
  return ({ table }, slot) => {
    if (ofNamespace?.matches(table.word(slot, rowWord.namespace)) === false) return false
    if (ofLabels?.matches(table.word(slot, rowWord.labels)) === false) return false
    return (
      fields.matchesEverything || matchesFields(fields, table.text(slot, rowWord.namespace), table.text(slot, rowWord.name), table.text(slot, rowWord.fields))
    )
  }
}

/** What a change is for somebody who selects: nothing, or an object that has come, has changed or is no longer among the selected. */
export function changeFor({ hasCluster, labels, fields, namespace }: Selection, change: RowChange): RowChange['type'] | undefined {
  const { row, before, type } = change
  if (!hasCluster(change.cluster) || (namespace !== undefined && row.namespace !== namespace)) return undefined
  const matches = (state: { readonly labels: string; readonly fields: string }): boolean =>
    (labels.matchesEverything || labels.matches(parsed(state.labels))) && matchesFields(fields, row.namespace, row.name, state.fields)
  const didMatch = before !== undefined && matches(before)
  if (type === 'DELETED') return didMatch ? 'DELETED' : undefined
  if (matches(row)) return didMatch ? 'MODIFIED' : 'ADDED'
  return didMatch ? 'DELETED' : undefined
}

function matchesFields(fields: FieldSelector, namespace: string, name: string, json: string): boolean {
  if (fields.matchesEverything) return true
  const values = parsed(json)
  return fields.matches((field) => (field === 'metadata.name' ? name : field === 'metadata.namespace' ? namespace : (values?.[field] ?? '')))
}

function parsed(json: string): Record<string, string> | undefined {
  return json === '' ? undefined : (JSON.parse(json) as Record<string, string>)
}
