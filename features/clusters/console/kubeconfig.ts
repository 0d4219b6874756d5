import { parseYaml } from '@gantry/console-kit/yaml'

export interface KubeconfigContext {
  readonly name: string
  readonly server: string | undefined
  readonly isCurrent: boolean
}

export type KubeconfigReading =
  | { readonly ok: true; readonly contexts: readonly KubeconfigContext[] }
  | { readonly ok: false; readonly problem: 'notYaml' | 'notKubeconfig' | 'noContexts' }

/** The contexts of a pasted kubeconfig, so that one can be picked before anything is sent. */
export function readKubeconfig(text: string): KubeconfigReading {
  const parsed = parseYaml(text)
  if (!parsed.ok) return { ok: false, problem: 'notYaml' }
  const config = record(parsed.value)
  if (!Array.isArray(config['clusters']) || !Array.isArray(config['contexts'])) return { ok: false, problem: 'notKubeconfig' }
  const servers = new Map(config['clusters'].map((entry: unknown) => [record(entry)['name'], record(record(entry)['cluster'])['server']]))
  const current = config['current-context']
  const contexts = config['contexts'].flatMap((entry: unknown): KubeconfigContext[] => {
    const name = record(entry)['name']
    if (typeof name !== 'string') return []
    const server = servers.get(record(record(entry)['context'])['cluster'])
    return [{ name, server: typeof server === 'string' ? server : undefined, isCurrent: name === current }]
  })
  return contexts.length === 0 ? { ok: false, problem: 'noContexts' } : { ok: true, contexts }
}

/** A cluster name made from a context: what a DNS label allows. */
export function suggestName(context: string): string {
  return context
    .toLowerCase()
    .replace(/^.*[@/]/, '')
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40)
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}
