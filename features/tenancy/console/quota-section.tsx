import { classNames, Section } from '@gantry/console-kit'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { QuotaUse } from '../api/index.ts'
import { amountsText } from './amounts.ts'
import type { QuotaBar } from './quota-bars.ts'

export interface QuotaSectionProps {
  readonly mode: 'Allocation' | 'Consumption'
  readonly bars: readonly QuotaBar[]
  readonly use: QuotaUse | undefined
  readonly actions?: ReactNode
}

/** What limits a tenant or project, how much of it is given out, and where. */
export function QuotaSection({ mode, bars, use, actions }: QuotaSectionProps) {
  const { t } = useTranslation('tenancy')
  const scopes = [...new Set(bars.map(({ scope }) => scope))]
  const clusters = use?.clusters ?? []
  return (
    <Section title={t('quota.title')} note={actions}>
      <p className="px-4 pt-3 text-sm text-muted">{t(`quota.modeHelp.${mode}`)}</p>
      {bars.length === 0 && <p className="px-4 py-3 text-sm">{t('quota.none')}</p>}
      {scopes.map((scope) => (
        <div key={scope} className="px-4 py-3">
          <h3 className="mb-2 text-xs font-semibold text-muted">{t('quota.limitsOf', { scope })}</h3>
          <ul className="grid grid-cols-1 gap-x-8 gap-y-3 lg:grid-cols-2">
            {bars
              .filter((bar) => bar.scope === scope)
              .map((bar) => (
                <li key={`${bar.cluster}|${bar.resource}`}>
                  <Bar bar={bar} mode={mode} />
                </li>
              ))}
          </ul>
        </div>
      ))}
      {clusters.length > 0 && (
        <div className="border-t border-line px-4 py-3">
          <h3 className="mb-2 text-xs font-semibold text-muted">{t('quota.byCluster')}</h3>
          <ul className="flex flex-col gap-2 text-sm">
            {clusters.map(({ cluster, reserved, used, message }) => (
              <li key={cluster} className="min-w-0">
                <span className="font-medium">{cluster}</span>
                <span className="block text-xs text-muted">
                  {t('quota.reserved', { amounts: amountsText(reserved) || t('quota.nothing') })}
                  {used !== undefined && ` · ${t('quota.used', { amounts: amountsText(used) || t('quota.nothing') })}`}
                </span>
                {message !== undefined && <span className="block text-xs text-warn">{message}</span>}
              </li>
            ))}
          </ul>
        </div>
      )}
    </Section>
  )
}

const fills = { ok: 'bg-accent', progress: 'bg-accent', neutral: 'bg-accent', warn: 'bg-warn-dot', error: 'bg-error-dot' } as const

function Bar({ bar, mode }: { readonly bar: QuotaBar; readonly mode: 'Allocation' | 'Consumption' }) {
  const { t } = useTranslation('tenancy')
  const { cluster, resource, limit, taken, free, used, fraction, tone } = bar
  const name = cluster === undefined ? resource : t('quota.inCluster', { resource, cluster })
  const text = t(mode === 'Allocation' ? 'quota.given' : 'quota.leased', { taken, limit, free })
  return (
    <>
      <div className="flex flex-wrap items-baseline gap-x-2 text-sm">
        <span className="font-medium">{resource === 'namespaces' ? t('column.namespaces') : name}</span>
        <span className="ml-auto text-xs text-muted tabular-nums">{text}</span>
      </div>
      <Meter label={`${name}: ${text}`} fraction={fraction} className={fills[tone]} />
      {used !== undefined && <p className="mt-0.5 text-xs text-muted tabular-nums">{t('quota.reallyUsed', { used })}</p>}
    </>
  )
}

/** Filled from 0 to 1. */
export function Meter({ label, fraction, className }: { readonly label: string; readonly fraction: number; readonly className: string }) {
  const percent = Math.max(0, Math.min(100, Math.round(fraction * 100)))
  return (
    <div
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      className="mt-1 h-1.5 overflow-hidden rounded-full bg-neutral-soft"
    >
      <div className={classNames('h-full rounded-full', className)} style={{ width: `${percent}%` }} />
    </div>
  )
}

/** The tightest limit in one line, for a table. */
export function TightestBar({ bar }: { readonly bar: QuotaBar | undefined }) {
  const { t } = useTranslation('tenancy')
  if (bar === undefined) return <span className="text-muted">{t('quota.unlimited')}</span>
  const text = t('quota.short', { resource: bar.resource, taken: bar.taken, limit: bar.limit })
  return (
    <div className="max-w-44">
      <span className="block truncate text-xs tabular-nums">{text}</span>
      <Meter label={text} fraction={bar.fraction} className={fills[bar.tone]} />
    </div>
  )
}
