import { Field, Select, TextInput } from '@gantry/console-kit'
import { useTranslation } from 'react-i18next'
import type { Tenant } from '../api/index.ts'
import { linesOfQuota, problemsOfLines } from './amounts.ts'
import { LinesEditor } from './lines-editor.tsx'
import { countOf, namespaceLimit, resourceLimits, withLimits, type LimitAbove, type ProjectForm } from './project-form.ts'

/** What tenants and projects say alike. */
export type ScopeForm = Pick<ProjectForm, 'displayName' | 'description' | 'mode' | 'lines' | 'namespaces'>

export const emptyScope: ScopeForm = { displayName: '', description: '', mode: '', lines: [], namespaces: '' }

export function scopeForm(spec: Pick<Tenant['spec'], 'displayName' | 'description' | 'mode' | 'quota'>): ScopeForm {
  const { displayName = '', description = '', mode = '', quota } = spec
  return { displayName, description, mode, lines: linesOfQuota(quota), namespaces: quota?.namespaces === undefined ? '' : String(quota.namespaces) }
}

/** Whether it can be written. */
export function isComplete(form: ScopeForm, limits: readonly LimitAbove[]): boolean {
  const count = countOf(form.namespaces)
  const needsCount = namespaceLimit(limits) !== undefined
  return problemsOfLines(withLimits(form.lines, resourceLimits(limits))).size === 0 && !Number.isNaN(count) && !(needsCount && count === undefined)
}

export interface ScopeFieldsProps {
  readonly form: ScopeForm
  readonly onChange: (part: Partial<ScopeForm>) => void
  /** In the mode Allocation: what is limited above, and so has to be set here. */
  readonly limits: readonly LimitAbove[]
  readonly clusters: readonly string[]
  /** What an absent mode means here. */
  readonly usualMode: string
}

export function NameFields({ form, onChange }: Pick<ScopeFieldsProps, 'form' | 'onChange'>) {
  const { t } = useTranslation('tenancy')
  return (
    <>
      <Field label={t('form.displayName')}>
        <TextInput autoComplete="off" maxLength={100} value={form.displayName} onChange={(event) => onChange({ displayName: event.target.value })} />
      </Field>
      <Field label={t('form.description')}>
        <TextInput autoComplete="off" maxLength={1_000} value={form.description} onChange={(event) => onChange({ description: event.target.value })} />
      </Field>
    </>
  )
}

/** The quota, and how it counts. */
export function QuotaFields({ form, onChange, limits, clusters, usualMode }: ScopeFieldsProps) {
  const { t } = useTranslation('tenancy')
  const limit = namespaceLimit(limits)
  const count = countOf(form.namespaces)
  return (
    <>
      <LinesEditor
        title={t('form.quota')}
        lines={withLimits(form.lines, resourceLimits(limits))}
        onChange={(lines) => onChange({ lines })}
        clusters={clusters}
        limits={limits}
      />
      <div className="grid gap-4 sm:grid-cols-2">
        <Field
          label={t('form.namespaces')}
          hint={limit === undefined ? t('form.namespacesHint') : t('form.freeAbove', { free: limit.free, limit: limit.limit, scope: limit.scope })}
          error={Number.isNaN(count) ? t('form.namespacesProblem') : undefined}
        >
          <TextInput
            inputMode="numeric"
            required={limit !== undefined}
            value={form.namespaces}
            onChange={(event) => onChange({ namespaces: event.target.value })}
          />
        </Field>
        <Field label={t('form.mode')} hint={form.mode === '' ? undefined : t(`quota.modeHelp.${form.mode}`)}>
          <Select value={form.mode} onChange={(event) => onChange({ mode: event.target.value as ScopeForm['mode'] })}>
            <option value="">{usualMode}</option>
            <option value="Allocation">{t('quota.mode.Allocation')}</option>
            <option value="Consumption">{t('quota.mode.Consumption')}</option>
          </Select>
        </Field>
      </div>
    </>
  )
}
