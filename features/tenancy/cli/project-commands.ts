import { isReason, StatusError } from '@gantry/apimachinery'
import { formatAge, textOption, UsageError, type Command } from '@gantry/cli-kit'
import type { Clock } from '@gantry/runtime'
import {
  membershipKind,
  projectKind,
  projectNamespaceKind,
  projectNamespace,
  tenantNamespace,
  type Membership,
  type Project,
  type ProjectNamespace,
} from '../api/index.ts'
import { listText } from './amounts.ts'
import { memberCommand, memberLines } from './members.ts'
import { aboveOf, projectAt, projectPath, scopeOptions, scopeSpec, stateInWords, stateOf, tenantOf } from './scopes.ts'
import { table } from './table.ts'

/** `gantry projects …`, but for its quotas. */
export function projectCommands(deps: { readonly clock: Clock }): readonly Command[] {
  return [
    {
      name: 'projects list',
      summary: 'All projects that you see',
      options: { tenant: { type: 'string', value: 'NAME', description: 'Those of this tenant' } },
      async run({ options, context }) {
        const tenant = textOption(options, 'tenant')
        await using platform = await context.connect()
        const { items } = await platform.hub.list<Project>(projectKind.ref, { signal: context.signal })
        const { apiVersion, kind, group } = projectKind
        const objects = items.filter((project) => tenant === undefined || tenantOf(project) === tenant).map((item) => ({ ...item, apiVersion, kind }))
        const columns = [
          { name: 'Project', value: (project: Project) => `${tenantOf(project)}/${project.metadata.name}` },
          { name: 'In', value: aboveOf },
          { name: 'Namespaces', value: ({ status }: Project) => status?.quota?.namespaces ?? 0 },
          { name: 'State', value: stateOf },
          { name: 'Age', value: ({ metadata }: Project) => formatAge(metadata.creationTimestamp, deps.clock.now()) },
        ]
        return { kind: 'objects', objects, columns, resource: `project.${group}` }
      },
    },
    {
      name: 'projects create',
      summary: 'Make a project, in its tenant or in another project',
      positionals: ['TENANT/PROJECT'],
      options: {
        in: { type: 'string', value: 'PROJECT', description: 'The project of the same tenant that it is to stand in (none)' },
        clusters: { type: 'string', value: 'NAMES', description: 'Clusters it may use, with commas between them (all of what it stands in)' },
        environments: {
          type: 'string',
          value: 'NAMES',
          description: 'Namespaces to begin with: test=dev,production=prod, each in the cluster behind "=" or the first; none (test,production)',
        },
        ...scopeOptions,
      },
      examples: [
        'gantry projects create acme/shop',
        'gantry projects create acme/shop-web --in shop --environments test=dev,production=prod --total cpu=8,memory=16Gi',
      ],
      async run({ positionals, options, context }) {
        const path = projectPath(positionals[0])
        const [above, clusters] = [textOption(options, 'in'), textOption(options, 'clusters')]
        const environments = environmentsOf(textOption(options, 'environments'))
        const spec: Project['spec'] = {
          ...scopeSpec(options),
          ...(clusters === undefined ? {} : { clusters: clusters.split(',') }),
          ...(environments === undefined ? {} : { environments }),
        }
        const { apiVersion, kind, ref } = projectKind
        const namespace = above === undefined ? tenantNamespace(path.tenant) : projectNamespace(path.tenant, above)
        await using platform = await context.connect()
        try {
          await platform.hub.create<Project>(ref, { apiVersion, kind, metadata: { name: path.name, namespace }, spec }, { signal: context.signal })
        } catch (error) {
          if (!isReason(error, 'NotFound')) throw error
          const what = above === undefined ? `tenant ${path.tenant}` : `project ${path.tenant}/${above}`
          throw new StatusError(
            'NotFound',
            `there is no ${what}, or it is not ready yet: "gantry ${above === undefined ? 'tenants' : 'projects'} list" shows those there are`,
            {
              cause: error,
            },
          )
        }
        return { kind: 'text', text: `project "${path.text}" created; who works there: gantry projects members ${path.text} --add NAME --role project-owner` }
      },
    },
    {
      name: 'projects show',
      summary: 'A project, its namespaces and its members',
      positionals: ['TENANT/PROJECT'],
      async run({ positionals, context: { signal, ...context } }) {
        const path = projectPath(positionals[0])
        await using platform = await context.connect()
        const { hub } = platform
        const project = await projectAt(hub, path, { signal })
        const namespaces = await hub.list<ProjectNamespace>(projectNamespaceKind.ref, { namespace: path.namespace, signal })
        const members = await hub.list<Membership>(membershipKind.ref, { namespace: path.namespace, signal })
        const { clusters, quota } = project.spec
        return {
          kind: 'text',
          text: [
            `project ${path.text} in ${aboveOf(project)}, ${stateInWords(project)}`,
            `clusters: ${clusters === undefined || clusters.includes('*') ? `all of ${aboveOf(project)}` : clusters.join(', ')}`,
            `quota: ${quota?.total === undefined ? 'none of its own' : listText(quota.total)}; gantry projects quota show ${path.text}`,
            '',
            ...(namespaces.items.length === 0
              ? ['no namespaces']
              : table([
                  ['NAME', 'CLUSTER', 'NAMESPACE', 'STATE'],
                  ...namespaces.items.map((one) => [one.metadata.name ?? '', one.spec.cluster, one.spec.namespace, stateInWords(one)]),
                ])),
            '',
            ...memberLines(members.items),
          ].join('\n'),
        }
      },
    },
    memberCommand(deps),
  ]
}

/** `test=dev,production`, or `none`. */
function environmentsOf(text: string | undefined): Project['spec']['environments'] {
  if (text === undefined) return undefined
  if (text === 'none') return []
  return text.split(',').map((part) => {
    const [name = '', cluster, ...more] = part.split('=')
    if (name === '' || cluster === '' || more.length > 0)
      throw new UsageError(`"${part}" is no environment: write test or test=CLUSTER, with commas between them`)
    return { name, ...(cluster === undefined ? {} : { cluster }) }
  })
}
