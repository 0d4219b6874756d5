import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import type { KubeObject } from '../api/kube-object.ts'
import { useConsole } from '../console-context.tsx'
import { objectSource, queryKey } from '../live/resource-source.ts'
import { useLiveRows } from '../live/use-live.ts'
import { placesOf } from '../live/places.ts'
import { useServices } from '../services.tsx'
import { ClusterIcon, NamespaceIcon } from '../ui/icons.ts'
import { MultiPick } from '../ui/multi-pick.tsx'

export function ClusterPick({ picked, onChange }: { readonly picked: readonly string[]; readonly onChange: (picked: readonly string[]) => void }) {
  const { t } = useTranslation('kit')
  const { fleet } = useConsole()
  const options = useMemo(() => fleet.members.map((member) => ({ value: member.name, label: member.displayName, tone: member.status.tone })), [fleet.members])
  return <MultiPick label={t('scope.cluster')} allLabel={t('scope.allClusters')} icon={ClusterIcon} options={options} picked={picked} onChange={onChange} />
}

/** The namespaces of some clusters, live, without duplicates. */
export function useNamespaces(clusters: readonly string[]): readonly string[] {
  const { api } = useServices()
  const { namespaceType } = useConsole()
  const live = useLiveRows<string>(
    placesOf({ clusters }).map((place) => {
      const query = { ...place, type: namespaceType }
      const project = (object: KubeObject, cluster: string): string => `${cluster}/${object.metadata.name ?? ''}`
      return { name: place.cluster, key: queryKey(query, 'name'), source: () => objectSource<string>(api, query, { project, keyOf: (name) => name }) }
    }),
  )
  return useMemo(
    () => [...new Set([...live.members.values()].flatMap((member) => [...member.rows.values()].map((name) => name.slice(name.indexOf('/') + 1))))].sort(),
    [live],
  )
}

export function NamespacePick({
  clusters,
  picked,
  onChange,
}: {
  readonly clusters: readonly string[]
  readonly picked: readonly string[]
  readonly onChange: (picked: readonly string[]) => void
}) {
  const { t } = useTranslation('kit')
  const names = useNamespaces(clusters)
  const options = useMemo(() => [...new Set([...names, ...picked])].map((name) => ({ value: name, label: name })), [names, picked])
  return (
    <MultiPick label={t('scope.namespace')} allLabel={t('scope.allNamespaces')} icon={NamespaceIcon} options={options} picked={picked} onChange={onChange} />
  )
}
