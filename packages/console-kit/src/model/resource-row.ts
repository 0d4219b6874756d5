import type { KubeObject } from '../api/kube-object.ts'
import { timestampMs } from './age.ts'
import type { Tone } from './tone.ts'

/** What every row of every table has. Kinds add their own fields; the object itself is not kept. */
export interface ResourceRow {
  /** Unique over all clusters. */
  readonly key: string
  readonly cluster: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly createdMs: number | undefined
  readonly isDeleting: boolean
}

export interface StatusLabel {
  /** The state's own word, the same in every language: filters and addresses use it. */
  readonly text: string
  /** i18next key of what is shown instead, for words that are the console's and not the server's. */
  readonly textKey?: string | undefined
  readonly tone: Tone
  /** Why it is so, in the server's words. */
  readonly detail?: string | undefined
}

export function baseRow(cluster: string, object: KubeObject): ResourceRow {
  const { metadata } = object
  const namespace = metadata.namespace ?? ''
  const name = metadata.name ?? ''
  return {
    key: `${cluster}/${namespace}/${name}`,
    cluster,
    namespace,
    name,
    uid: metadata.uid ?? '',
    createdMs: timestampMs(metadata.creationTimestamp),
    isDeleting: metadata.deletionTimestamp !== undefined,
  }
}
