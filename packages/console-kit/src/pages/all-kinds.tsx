import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import { groupVersion } from '../api/kube-object.ts'
import { findKindDefinition, useConsole } from '../console-context.tsx'
import { PageHeader } from '../frame/page-header.tsx'
import { scopeQuery, useQueryState, useScope } from '../frame/scope.ts'
import { ClusterPick } from '../frame/scope-pickers.tsx'
import { useServedByAll, type FleetResource } from '../live/use-served.ts'
import { listHref } from '../model/console-path.ts'
import { Empty, Loading } from '../ui/empty.tsx'
import { AllKindsIcon, CustomKindIcon } from '../ui/icons.ts'
import { Notice } from '../ui/notice.tsx'
import { SearchBox } from './search-box.tsx'

/** Every kind that the chosen clusters serve, by group. */
export function AllKinds() {
  const { t } = useTranslation('kit')
  const { fleet, features } = useConsole()
  const scope = useScope()
  const query = useQueryState()
  const [text, setText] = useState('')
  const clusters = useMemo(() => (scope.clusters.length > 0 ? scope.clusters : fleet.members.map((member) => member.name)), [scope.clusters, fleet.members])
  const { resources, isPending, answered, failures } = useServedByAll(clusters)
  const groups = useMemo(() => byGroup(resources, text), [resources, text])

  return (
    <div className="h-full overflow-auto">
      <PageHeader title={t('kinds.title')} note={<span className="text-sm text-muted tabular-nums">{resources.length}</span>} />
      <div className="flex flex-wrap gap-2 px-4 pb-3 md:px-5">
        <ClusterPick picked={scope.clusters} onChange={(picked) => query.set({ cluster: picked.join(',') })} />
        <SearchBox value={text} onChange={setText} placeholder={t('kinds.search')} />
      </div>
      <div className="flex flex-col gap-4 px-4 pb-6 md:px-5">
        {failures.map(({ cluster, error }) => (
          <Notice key={cluster} tone="warn" title={t('list.clusterMissing', { cluster })}>
            {error.message}
          </Notice>
        ))}
        {isPending && <Loading label={t('kinds.loading')} />}
        {!isPending && groups.length === 0 && <Empty icon={AllKindsIcon} title={t('kinds.none')} />}
        {groups.map(([group, members]) => (
          <section key={group} aria-label={group === '' ? t('kinds.core') : group}>
            <h2 className="mb-1.5 text-xs font-semibold text-muted">{group === '' ? t('kinds.core') : group}</h2>
            <ul className="grid grid-cols-1 gap-1.5 sm:grid-cols-2 lg:grid-cols-3 xl:grid-cols-4">
              {members.map((resource) => {
                const kind = findKindDefinition(features, resource)
                const Glyph = kind?.icon ?? CustomKindIcon
                return (
                  <li key={resource.plural}>
                    <Link
                      href={`${kind?.listPath ?? listHref(resource)}${scopeQuery(scope)}`}
                      className="flex items-center gap-2.5 rounded-md border border-line bg-panel px-3 py-2 text-sm hover:border-accent hover:bg-hover"
                    >
                      <Glyph aria-hidden className="size-4 shrink-0 text-muted" />
                      <span className="min-w-0 flex-1 truncate font-medium">{resource.kind}</span>
                      <span className="text-xs text-muted">{groupVersion(resource).split('/').at(-1)}</span>
                      {resource.clusters.length < answered && (
                        <span className="text-xs text-muted" title={resource.clusters.join(', ')}>
                          {resource.clusters.length}/{answered}
                        </span>
                      )}
                    </Link>
                  </li>
                )
              })}
            </ul>
          </section>
        ))}
      </div>
    </div>
  )
}

function byGroup(resources: readonly FleetResource[], text: string): readonly (readonly [string, readonly FleetResource[]])[] {
  const wanted = text.toLowerCase()
  const groups = new Map<string, FleetResource[]>()
  for (const resource of resources) {
    const words = [resource.kind, resource.plural, resource.group, ...resource.shortNames]
    if (!words.some((word) => word.toLowerCase().includes(wanted))) continue
    groups.set(resource.group, [...(groups.get(resource.group) ?? []), resource])
  }
  return [...groups]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([group, members]) => [group, members.sort((left, right) => (left.kind < right.kind ? -1 : 1))])
}
