import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { StatusError } from '@gantry/apimachinery'
import { textOption, UsageError, type Command, type CommandContext, type OptionValues, type Output } from '@gantry/cli-kit'
import { createClient, loadKubeconfig, openHttpTransport } from '@gantry/client'
import { systemClock } from '@gantry/runtime'
import type { Collection, Exported } from '../export/collect.ts'

const namespaceRef = { group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', namespaced: false }

/** `gantry export`: the objects of the local cluster as somebody would have written them, to files or into another cluster. */
export function exportCommand(): Command {
  return {
    name: 'export',
    summary: 'Write the objects of the local cluster as manifests, or apply them to another cluster',
    options: {
      to: { type: 'string', value: 'DIR', description: 'Folder for one file per object; "-" prints them' },
      'to-kubeconfig': { type: 'string', value: 'FILE', description: 'Apply them to the cluster of this kubeconfig' },
      context: { type: 'string', value: 'NAME', description: 'Context of that kubeconfig, when it is not the current one' },
      'dry-run': { type: 'boolean', description: 'Only ask that cluster what it would do' },
      'force-conflicts': { type: 'boolean', description: 'Take fields over that somebody else manages there' },
      namespaces: { type: 'string', value: 'A,B', description: 'Only what is in these namespaces' },
      secrets: { type: 'boolean', description: 'Secrets too' },
    },
    examples: ['gantry export --to manifests', 'gantry export --to-kubeconfig prod.kubeconfig --dry-run', 'gantry export --namespaces shop --secrets --to -'],
    async run({ options, context }) {
      const [to, kubeconfig] = [textOption(options, 'to'), textOption(options, 'to-kubeconfig')]
      if ((to === undefined) === (kubeconfig === undefined)) throw new UsageError('name where to export to: --to DIR or --to-kubeconfig FILE')
      const misplaced = kubeconfig === undefined ? ['context', 'dry-run', 'force-conflicts'].find((name) => options[name] !== undefined) : undefined
      if (misplaced !== undefined) throw new UsageError(`--${misplaced} is about another cluster: it needs --to-kubeconfig FILE`)
      const target = kubeconfig === undefined ? undefined : await targetOf(kubeconfig, options, context)
      const { collect } = await import('../export/collect.ts')
      await using platform = await context.connect()
      const namespaces = namespacesOf(options)
      for (const name of namespaces ?? []) await platform.hub.get(namespaceRef, { name }, { signal: context.signal })
      const collection = await collect(platform.hub, { namespaces, secrets: options['secrets'] === true }, { signal: context.signal })
      tellLeftOut(collection, context)
      if (target !== undefined) return applyAll(collection.objects, { target, options, context })
      return writeAll(collection, to ?? '-', context)
    },
  }
}

function namespacesOf(options: OptionValues): readonly string[] | undefined {
  return textOption(options, 'namespaces')
    ?.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

async function targetOf(file: string, options: OptionValues, context: CommandContext): Promise<ReturnType<typeof loadKubeconfig>> {
  const text = await context.readFile(file)
  try {
    // Files that it names stand relative to it.
    const readFile = (path: string): Buffer => readFileSync(resolve(dirname(file), path))
    return loadKubeconfig(text, { context: textOption(options, 'context'), readFile })
  } catch (cause) {
    throw new StatusError('BadRequest', `${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

function tellLeftOut({ leftOut }: Collection, context: CommandContext): void {
  if (leftOut.size === 0) return
  context.note(`left out: ${[...leftOut].map(([reason, count]) => `${count} ${reason}`).join(', ')}`)
}

async function writeAll({ objects }: Collection, to: string, context: CommandContext): Promise<Output> {
  const { writeManifests, yamlOf } = await import('../export/write-manifests.ts')
  const owned = objects.filter(({ owners }) => owners.length > 0)
  if (owned.length > 0) context.note(`${owned.length} objects are written without their owners, whose uids are others in another cluster`)
  if (to === '-') return { kind: 'text', text: objects.map(({ object }) => `---\n${yamlOf(object)}`).join('') }
  const dir = resolve(to)
  await writeManifests(dir, objects)
  return { kind: 'text', text: `${objects.length} objects are in ${dir}: apply them with kubectl apply -R -f ${dir}` }
}

async function applyAll(
  objects: readonly Exported[],
  { target, options, context }: { readonly target: ReturnType<typeof loadKubeconfig>; readonly options: OptionValues; readonly context: CommandContext },
): Promise<Output> {
  const [{ apply, tryOut }, { applyOutcome, dryRunOutcome }] = await Promise.all([import('../export/apply.ts'), import('../export/outcome.ts')])
  await using http = openHttpTransport(target.transport, { clock: systemClock })
  const client = createClient({ handle: http.handle }, { userAgent: 'gantry-export' })
  const how = { force: options['force-conflicts'] === true, signal: context.signal, clock: systemClock }
  const tried = await tryOut(client, objects, how)
  const wouldBe = dryRunOutcome(tried, target.context)
  if (options['dry-run'] === true) return { kind: 'text', text: wouldBe }
  const applied = await apply(client, objects, how)
  for (const orphan of applied.orphans) context.note(`${orphan}: its owner is not in the export, it is applied without`)
  return { kind: 'text', text: applyOutcome(applied, target.context) }
}
