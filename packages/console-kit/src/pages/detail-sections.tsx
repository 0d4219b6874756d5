import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { discoveryQuery } from '../live/use-served.ts'
import { findKind } from '../api/discovery.ts'
import { splitApiVersion, type Condition, type OwnerReference } from '../api/kube-object.ts'
import type { DetailProps } from '../definitions.ts'
import { timestampMs } from '../model/age.ts'
import { conditionTone } from '../model/condition-tone.ts'
import { objectHref } from '../model/console-path.ts'
import { useServices } from '../services.tsx'
import { TableLink } from '../table/table-link.tsx'
import { Age } from '../ui/age.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { StatusText } from '../ui/status.tsx'

export function Section({ title, note, children }: { readonly title: string; readonly note?: ReactNode; readonly children: ReactNode }) {
  return (
    <section aria-label={title} className="rounded-lg border border-line bg-panel">
      <div className="flex items-center gap-2 border-b border-line px-4 py-2">
        <h2 className="text-sm font-semibold">{title}</h2>
        {note}
      </div>
      {children}
    </section>
  )
}

/** Names and values side by side; one column on a phone. */
export function Facts({ children }: { readonly children: ReactNode }) {
  return <dl className="grid grid-cols-1 gap-x-8 gap-y-2 px-4 py-3 text-sm sm:grid-cols-2 xl:grid-cols-3">{children}</dl>
}

export function Fact({ name, children, isWide = false }: { readonly name: string; readonly children: ReactNode; readonly isWide?: boolean }) {
  return (
    <div className={isWide ? 'col-span-full min-w-0' : 'min-w-0'}>
      <dt className="text-xs text-muted">{name}</dt>
      <dd className="mt-0.5 break-words">{children}</dd>
    </div>
  )
}

export function Chips({ values }: { readonly values: Readonly<Record<string, string>> }) {
  return (
    <span className="flex flex-wrap gap-1">
      {Object.entries(values).map(([key, value]) => (
        <code key={key} className="max-w-full truncate rounded bg-neutral-soft px-1.5 py-0.5 font-mono text-xs" title={`${key}=${value}`}>
          {key}
          {value !== '' && <span className="text-muted">={value}</span>}
        </code>
      ))}
    </span>
  )
}

export function MetadataSection({ target, object }: DetailProps) {
  const { t } = useTranslation('kit')
  const { metadata } = object
  const createdMs = timestampMs(metadata.creationTimestamp)
  const annotations = Object.entries(metadata.annotations ?? {})
  return (
    <Section title={t('detail.metadata')}>
      <Facts>
        <Fact name={t('column.name')}>
          <span className="flex items-center">
            <span className="min-w-0 truncate">{metadata.name}</span>
            <CopyButton text={metadata.name ?? ''} className="-my-1.5 size-7" />
          </span>
        </Fact>
        {metadata.namespace !== undefined && <Fact name={t('column.namespace')}>{metadata.namespace}</Fact>}
        <Fact name={t('column.cluster')}>
          <TableLink href={`/clusters/${encodeURIComponent(target.cluster ?? '')}`}>{target.cluster}</TableLink>
        </Fact>
        <Fact name={t('detail.created')}>
          <Age sinceMs={createdMs} /> {createdMs !== undefined && <span className="text-muted">({new Date(createdMs).toLocaleString()})</span>}
        </Fact>
        <Fact name="UID">
          <code className="font-mono text-xs">{metadata.uid}</code>
        </Fact>
        <Fact name={t('detail.resourceVersion')}>
          <code className="font-mono text-xs">{metadata.resourceVersion}</code>
        </Fact>
        {metadata.ownerReferences !== undefined && metadata.ownerReferences.length > 0 && (
          <Fact name={t('detail.owners')}>
            <span className="flex flex-col">
              {metadata.ownerReferences.map((owner) => (
                <OwnerLink key={owner.uid} cluster={target.cluster ?? ''} namespace={metadata.namespace} owner={owner} />
              ))}
            </span>
          </Fact>
        )}
        {metadata.finalizers !== undefined && metadata.finalizers.length > 0 && (
          <Fact name={t('detail.finalizers')}>
            <Chips values={Object.fromEntries(metadata.finalizers.map((name) => [name, '']))} />
          </Fact>
        )}
        {Object.keys(metadata.labels ?? {}).length > 0 && (
          <Fact name={t('detail.labels')} isWide>
            <Chips values={metadata.labels ?? {}} />
          </Fact>
        )}
        {annotations.length > 0 && (
          <Fact name={t('detail.annotations')} isWide>
            <details>
              <summary className="cursor-pointer text-muted">{t('detail.annotationCount', { count: annotations.length })}</summary>
              <dl className="mt-1 flex flex-col gap-1 font-mono text-xs">
                {annotations.map(([key, value]) => (
                  <div key={key} className="min-w-0">
                    <dt className="text-muted">{key}</dt>
                    <dd className="max-h-40 overflow-auto pl-3 break-words whitespace-pre-wrap">{value}</dd>
                  </div>
                ))}
              </dl>
            </details>
          </Fact>
        )}
      </Facts>
    </Section>
  )
}

function OwnerLink({ cluster, namespace, owner }: { readonly cluster: string; readonly namespace: string | undefined; readonly owner: OwnerReference }) {
  const { api } = useServices()
  const { data } = useQuery(discoveryQuery(api, cluster))
  const { group, version } = splitApiVersion(owner.apiVersion)
  const type = findKind(data ?? [], group, version, owner.kind)
  const text = `${owner.kind}/${owner.name}`
  if (type === undefined) return <span>{text}</span>
  return <TableLink href={objectHref({ cluster, type, name: owner.name, namespace: type.namespaced ? namespace : undefined })}>{text}</TableLink>
}

export function ConditionsSection({ object }: DetailProps) {
  const { t } = useTranslation('kit')
  const conditions = object.status?.conditions
  if (!Array.isArray(conditions) || conditions.length === 0) return undefined
  return (
    <Section title={t('detail.conditions')}>
      <ConditionTable conditions={conditions} />
    </Section>
  )
}

export function ConditionTable({ conditions }: { readonly conditions: readonly Condition[] }) {
  const { t } = useTranslation('kit')
  return (
    <div
      className="overflow-x-auto"
      role="region"
      aria-label={t('detail.conditions')}
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
      tabIndex={0}
    >
      <table className="w-full min-w-xl text-sm">
        <thead>
          <tr className="border-b border-line text-left text-xs text-muted">
            <th className="px-4 py-1.5 font-semibold">{t('detail.conditionType')}</th>
            <th className="px-2 py-1.5 font-semibold">{t('column.status')}</th>
            <th className="px-2 py-1.5 font-semibold">{t('detail.reason')}</th>
            <th className="px-2 py-1.5 font-semibold">{t('detail.message')}</th>
            <th className="px-4 py-1.5 text-right font-semibold">{t('detail.changed')}</th>
          </tr>
        </thead>
        <tbody>
          {conditions.map((condition) => (
            <tr key={condition.type} className="border-b border-line/60 align-top last:border-0">
              <td className="px-4 py-1.5 font-medium whitespace-nowrap">{condition.type}</td>
              <td className="px-2 py-1.5 whitespace-nowrap">
                <StatusText status={{ text: condition.status, tone: conditionTone(condition) }} />
              </td>
              <td className="px-2 py-1.5 whitespace-nowrap">{condition.reason}</td>
              <td className="min-w-48 px-2 py-1.5 break-words text-muted">{condition.message}</td>
              <td className="px-4 py-1.5 text-right">
                <Age sinceMs={timestampMs(condition.lastTransitionTime)} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
