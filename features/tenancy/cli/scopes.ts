import { StatusError } from '@gantry/apimachinery'
import { printable, textOption, UsageError, type OptionDefinition, type OptionValues } from '@gantry/cli-kit'
import type { KubeClient } from '@gantry/client'
import { projectKind, projectNamespace, scopeOf, type Project, type ProjectNamespace, type Quota, type Tenant } from '../api/index.ts'
import { amountsOf, wholeOf } from './amounts.ts'

/** A project as the command line names it. */
export interface ProjectPath {
  readonly tenant: string
  readonly name: string
  /** TENANT/PROJECT */
  readonly text: string
  /** The namespace of the hub that holds its objects. */
  readonly namespace: string
}

/** Throws UsageError. */
export function projectPath(text: string | undefined): ProjectPath {
  const [tenant = '', name = '', ...more] = (text ?? '').split('/')
  if (tenant === '' || name === '' || more.length > 0) throw new UsageError(`"${text}" is no project: write TENANT/PROJECT`)
  return { tenant, name, text: `${tenant}/${name}`, namespace: projectNamespace(tenant, name) }
}

/** The project of this path, wherever in its tenant it stands. Asked as a list, which shows everybody what they may see. Throws NotFound. */
export async function projectAt(hub: KubeClient, path: ProjectPath, { signal }: { readonly signal: AbortSignal }): Promise<Project> {
  const { items } = await hub.list<Project>(projectKind.ref, { fieldSelector: `metadata.name=${path.name}`, signal })
  const found = items.find(({ metadata }) => scopeOf(metadata.namespace ?? '')?.tenant === path.tenant)
  if (found === undefined) throw new StatusError('NotFound', `there is no project ${path.text} that you see: "gantry projects list" shows those there are`)
  return found
}

/** What a project stands in: `acme`, or `acme/shop`. */
export function aboveOf({ metadata }: Project): string {
  const { tenant, project } = scopeOf(metadata.namespace ?? '') ?? { tenant: metadata.namespace ?? '', project: undefined }
  return project === undefined ? tenant : `${tenant}/${project}`
}

export const tenantOf = (object: Project | ProjectNamespace): string => scopeOf(object.metadata.namespace ?? '')?.tenant ?? ''

type Stated = Tenant | Project | ProjectNamespace

/** One word for a table. */
export function stateOf(object: Stated): string {
  if (object.metadata.deletionTimestamp !== undefined) return 'Terminating'
  if ('suspended' in object.spec && object.spec.suspended === true) return 'Suspended'
  if ('locked' in object.spec && object.spec.locked === true) return 'Locked'
  const condition = readyOf(object)
  return condition === undefined ? 'Pending' : condition.status === 'True' ? 'Ready' : condition.reason
}

/** With why it is not ready. */
export function stateInWords(object: Stated): string {
  const condition = readyOf(object)
  const why = condition === undefined || condition.status === 'True' || condition.message === '' ? '' : `: ${condition.message}`
  return printable(`${stateOf(object)}${why}`)
}

const readyOf = ({ status }: Stated) => status?.conditions?.find(({ type }) => type === 'Ready')

export const scopeOptions: Readonly<Record<string, OptionDefinition>> = {
  'display-name': { type: 'string', value: 'TEXT', description: 'Name for people' },
  description: { type: 'string', value: 'TEXT', description: 'What it is for' },
  total: { type: 'string', value: 'AMOUNTS', description: 'What it may have in all clusters together: cpu=40,memory=80Gi (unlimited)' },
  namespaces: { type: 'string', value: 'COUNT', description: 'How many namespaces it may have (unlimited)' },
  mode: { type: 'string', value: 'MODE', description: 'Allocation or Consumption' },
}

/** What `scopeOptions` say of a tenant's or project's spec. */
export function scopeSpec(options: OptionValues): Pick<Project['spec'], 'displayName' | 'description' | 'mode' | 'quota'> {
  const [displayName, description, mode] = [textOption(options, 'display-name'), textOption(options, 'description'), textOption(options, 'mode')]
  const [total, namespaces] = [textOption(options, 'total'), textOption(options, 'namespaces')]
  if (mode !== undefined && mode !== 'Allocation' && mode !== 'Consumption') throw new UsageError(`"${mode}" is no mode: it is Allocation or Consumption`)
  const quota: Quota = { ...(total === undefined ? {} : { total: amountsOf(total) }), ...(namespaces === undefined ? {} : { namespaces: wholeOf(namespaces) }) }
  return {
    ...(displayName === undefined ? {} : { displayName }),
    ...(description === undefined ? {} : { description }),
    ...(mode === undefined ? {} : { mode }),
    ...(Object.keys(quota).length === 0 ? {} : { quota }),
  }
}
