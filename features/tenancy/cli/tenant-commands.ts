import { formatAge, textOption, type Command } from '@gantry/cli-kit'
import type { Clock } from '@gantry/runtime'
import { membershipKind, projectKind, tenantKind, tenantNamespace, type Membership, type Project, type Tenant } from '../api/index.ts'
import { listText } from './amounts.ts'
import { memberLines } from './members.ts'
import { aboveOf, scopeOptions, scopeSpec, stateInWords, stateOf, tenantOf } from './scopes.ts'
import { table } from './table.ts'

/** `gantry tenants …`. */
export function tenantCommands(deps: { readonly clock: Clock }): readonly Command[] {
  return [
    {
      name: 'tenants list',
      summary: 'All tenants',
      async run({ context }) {
        await using platform = await context.connect()
        const { items } = await platform.hub.list<Tenant>(tenantKind.ref, { signal: context.signal })
        const columns = [
          { name: 'Name', value: ({ metadata }: Tenant) => metadata.name },
          { name: 'Clusters', value: ({ spec }: Tenant) => spec.clusters.join(',') },
          { name: 'Projects', value: ({ status }: Tenant) => status?.projects ?? 0 },
          { name: 'Namespaces', value: ({ status }: Tenant) => status?.quota?.namespaces ?? 0 },
          { name: 'State', value: stateOf },
          { name: 'Age', value: ({ metadata }: Tenant) => formatAge(metadata.creationTimestamp, deps.clock.now()) },
        ]
        const { apiVersion, kind } = tenantKind
        return { kind: 'objects', objects: items.map((item) => ({ ...item, apiVersion, kind })), columns, resource: `tenant.${tenantKind.group}` }
      },
    },
    {
      name: 'tenants create',
      summary: 'Make a tenant: a customer, a department or a subsidiary',
      positionals: ['NAME'],
      options: { clusters: { type: 'string', value: 'NAMES', description: 'Clusters it may use, with commas between them (every one)' }, ...scopeOptions },
      examples: ['gantry tenants create acme --clusters prod,edge --total cpu=100,memory=400Gi --namespaces 50'],
      async run({ positionals, options, context }) {
        const [name = ''] = positionals
        const spec = { clusters: (textOption(options, 'clusters') ?? '*').split(','), ...scopeSpec(options) }
        const { apiVersion, kind, ref } = tenantKind
        await using platform = await context.connect()
        await platform.hub.create<Tenant>(ref, { apiVersion, kind, metadata: { name }, spec }, { signal: context.signal })
        return { kind: 'text', text: `tenant "${name}" created; its first project: gantry projects create ${name}/PROJECT` }
      },
    },
    {
      name: 'tenants show',
      summary: 'A tenant, its quota, its projects and its members',
      positionals: ['NAME'],
      async run({ positionals, context: { signal, ...context } }) {
        const [name = ''] = positionals
        await using platform = await context.connect()
        const { hub } = platform
        const tenant = await hub.get<Tenant>(tenantKind.ref, { name }, { signal })
        const all = await hub.list<Project>(projectKind.ref, { signal })
        const members = await hub.list<Membership>(membershipKind.ref, { namespace: tenantNamespace(name), signal })
        const projects = all.items.filter((project) => tenantOf(project) === name)
        const { quota } = tenant.spec
        return {
          kind: 'text',
          text: [
            `tenant ${name}, ${stateInWords(tenant)}`,
            `clusters: ${tenant.spec.clusters.includes('*') ? 'every one' : tenant.spec.clusters.join(', ')}`,
            `quota: ${quota?.total === undefined ? 'none' : listText(quota.total)}, namespaces: ${tenant.status?.quota?.namespaces ?? 0} of ${quota?.namespaces ?? 'any number'}`,
            '',
            ...(projects.length === 0
              ? ['no projects']
              : table([['PROJECT', 'IN', 'STATE'], ...projects.map((project) => [project.metadata.name ?? '', aboveOf(project), stateOf(project)])])),
            '',
            ...memberLines(members.items),
          ].join('\n'),
        }
      },
    },
  ]
}
