import { boolYaml11Tag, CORE_SCHEMA, dump, intCoreTag, loadAll, mergeTag, YAMLException } from 'js-yaml'
import type { KubeObject } from '../api/kube-object.ts'

export interface YamlDocument {
  /** 1-based place in the text, for messages. */
  readonly index: number
  /** 1-based line where the document starts. */
  readonly line: number
  readonly result: { readonly ok: true; readonly object: KubeObject } | { readonly ok: false; readonly message: string; readonly line?: number }
}

/**
 * What kubectl reads: YAML 1.2 with the YAML 1.1 booleans, octal `0644` and merge keys of go-yaml, without its dates. A file mode read as decimal would
 * silently grant other rights than kubectl does.
 */
const kubectlSchema = CORE_SCHEMA.withTags(mergeTag, boolYaml11Tag, {
  ...intCoreTag,
  resolve: (source, isExplicit, tagName) => (/^[-+]?0[0-7]+$/.test(source) ? Number.parseInt(source, 8) : intCoreTag.resolve(source, isExplicit, tagName)),
})

/** Every non-empty document of a text; `List` objects are unfolded. One broken document does not hide the others. */
export function parseDocuments(text: string): readonly YamlDocument[] {
  const documents: YamlDocument[] = []
  for (const part of splitDocuments(text)) {
    const place = { index: documents.length + 1, line: part.line }
    try {
      for (const value of loadAll(part.text, { schema: kubectlSchema })) {
        if (value === null || value === undefined) continue
        for (const object of unfoldList(value)) documents.push({ ...place, index: documents.length + 1, result: checkObject(object) })
      }
    } catch (error) {
      if (!(error instanceof YAMLException)) throw error
      const offset = error.mark?.line
      documents.push({ ...place, result: { ok: false, message: error.reason, ...(offset === undefined ? {} : { line: part.line + offset }) } })
    }
  }
  return documents
}

/** The one object of an editor that holds one. */
export function parseObject(text: string): YamlDocument['result'] {
  const documents = parseDocuments(text)
  if (documents.length > 1) return { ok: false, message: 'expected one document, found more' }
  return documents[0]?.result ?? { ok: false, message: 'the document is empty' }
}

/** Any YAML value, for texts that are no Kubernetes objects. */
export function parseYaml(text: string): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string } {
  try {
    return { ok: true, value: loadAll(text, { schema: kubectlSchema })[0] }
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error
    return { ok: false, message: error.reason }
  }
}

/** Keys in the order a person writes them, no line folding, no anchors. */
export function toYaml(object: unknown): string {
  return dump(object, { lineWidth: -1, noRefs: true })
}

function splitDocuments(text: string): { readonly text: string; readonly line: number }[] {
  const parts: { text: string; line: number }[] = []
  let current: string[] = []
  let line = 1
  const close = (): void => {
    if (current.some((row) => row.trim() !== '' && !row.trimStart().startsWith('#'))) parts.push({ text: current.join('\n'), line })
  }
  text.split(/\r?\n/).forEach((row, index) => {
    if (!/^---(\s|$)/.test(row)) {
      current.push(row)
      return
    }
    close()
    current = []
    line = index + 2
  })
  close()
  return parts
}

function unfoldList(value: unknown): readonly unknown[] {
  if (!isRecord(value) || value['kind'] !== 'List' || !Array.isArray(value['items'])) return [value]
  return value['items']
}

function checkObject(value: unknown): YamlDocument['result'] {
  if (!isRecord(value)) return { ok: false, message: 'expected an object with apiVersion, kind and metadata' }
  const { apiVersion, kind, metadata } = value
  if (typeof apiVersion !== 'string' || apiVersion === '') return { ok: false, message: 'apiVersion is missing' }
  if (typeof kind !== 'string' || kind === '') return { ok: false, message: 'kind is missing' }
  if (!isRecord(metadata) || (typeof metadata['name'] !== 'string' && typeof metadata['generateName'] !== 'string')) {
    return { ok: false, message: 'metadata.name is missing' }
  }
  return { ok: true, object: { ...value, apiVersion, kind, metadata } }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
