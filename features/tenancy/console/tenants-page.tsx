import { Age, Button, classNames, Empty, ErrorNotice, lazily, Loading, PageHeader, StatusText, TableLink, timestampMs, useMay } from '@gantry/console-kit'
import { PlusIcon, TenantIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Tenant } from '../api/index.ts'
import { tenantType } from './kinds.ts'
import { totalsOfTenant, tightest } from './quota-bars.ts'
import { TightestBar } from './quota-section.tsx'
import { hrefOf, nameOf, scopeOfTenant } from './scope.ts'
import { stateOf } from './state.ts'
import { useTenancy } from './use-tenancy.ts'

const TenantDialog = lazily(async () => (await import('./tenant-dialog.tsx')).TenantDialog)

/** Every tenant that the caller sees. */
export function TenantsPage() {
  const { t } = useTranslation('tenancy')
  const { phase, tenants, error } = useTenancy()
  const [mayCreate] = useMay([{ verb: 'create', type: tenantType }])
  const [isCreating, setCreating] = useState(false)
  return (
    <div className="flex h-full flex-col overflow-auto">
      <PageHeader title={t('tenants.title')} note={<span className="text-sm text-muted">{t('tenants.count', { count: tenants.length })}</span>}>
        {mayCreate === true && (
          <Button look="primary" icon={PlusIcon} onClick={() => setCreating(true)}>
            {t('tenant.create')}
          </Button>
        )}
      </PageHeader>
      <div className="flex flex-col gap-3 px-4 pb-6 md:px-5">
        {error !== undefined && <ErrorNotice error={error} title={t('tenants.failed')} />}
        {phase === 'loading' && <Loading label={t('tenants.loading')} />}
        {phase === 'ready' && tenants.length === 0 && (
          <Empty icon={TenantIcon} title={t('tenants.none')}>
            {t(mayCreate === true ? 'tenants.noneHelp' : 'tenants.notYours')}
          </Empty>
        )}
        {tenants.length > 0 && <TenantTable tenants={tenants} />}
      </div>
      {isCreating && <TenantDialog onClose={() => setCreating(false)} />}
    </div>
  )
}

const head = 'px-3 py-2 text-left text-xs font-semibold text-muted'
const cell = 'px-3 py-2.5 align-top'
const wide = 'hidden lg:table-cell'
const medium = 'hidden sm:table-cell'

function TenantTable({ tenants }: { readonly tenants: readonly Tenant[] }) {
  const { t } = useTranslation('tenancy')
  return (
    <div className="rounded-lg border border-line bg-panel">
      <table className="w-full table-fixed text-sm" aria-label={t('tenants.title')}>
        <thead>
          <tr className="border-b border-line">
            <th className={classNames(head, 'w-1/2 pl-4 sm:w-1/3 lg:w-1/4')}>{t('column.tenant')}</th>
            <th className={head}>{t('column.state')}</th>
            <th className={classNames(head, medium, 'w-24')}>{t('column.projects')}</th>
            <th className={classNames(head, wide, 'w-28')}>{t('column.namespaces')}</th>
            <th className={classNames(head, medium, 'w-48')}>{t('quota.title')}</th>
            <th className={classNames(head, wide, 'w-1/6')}>{t('column.clusters')}</th>
            <th className={classNames(head, wide, 'w-20 text-right')}>{t('column.age')}</th>
          </tr>
        </thead>
        <tbody>
          {tenants.map((tenant) => (
            <TenantRow key={tenant.metadata.uid} tenant={tenant} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function TenantRow({ tenant }: { readonly tenant: Tenant }) {
  const { t } = useTranslation('tenancy')
  const { metadata, spec, status } = tenant
  const state = stateOf(tenant)
  const count = status?.quota?.namespaces ?? 0
  return (
    <tr className="border-b border-line/60 last:border-0 hover:bg-hover">
      <td className={classNames(cell, 'pl-4')}>
        <span className="block font-medium break-words">
          <TableLink href={hrefOf(scopeOfTenant(tenant))}>{nameOf(tenant)}</TableLink>
        </span>
        {nameOf(tenant) !== metadata.name && <span className="block truncate text-xs text-muted">{metadata.name}</span>}
      </td>
      <td className={cell}>
        <StatusText status={state} />
        {state.detail !== undefined && <p className="mt-0.5 line-clamp-3 text-xs break-words text-muted">{state.detail}</p>}
      </td>
      <td className={classNames(cell, medium, 'tabular-nums')}>{status?.projects ?? 0}</td>
      <td className={classNames(cell, wide, 'tabular-nums')}>
        {spec.quota?.namespaces === undefined ? count : t('quota.of', { taken: count, limit: spec.quota.namespaces })}
      </td>
      <td className={classNames(cell, medium)}>
        <TightestBar bar={tightest(totalsOfTenant(tenant))} />
      </td>
      <td className={classNames(cell, wide, 'break-words')}>{spec.clusters.includes('*') ? t('everyCluster') : spec.clusters.join(', ')}</td>
      <td className={classNames(cell, wide, 'text-right')}>
        <Age sinceMs={timestampMs(metadata.creationTimestamp)} />
      </td>
    </tr>
  )
}
