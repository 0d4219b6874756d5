import { Notice } from '@gantry/console-kit'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { Project, ProjectNamespace, Tenant } from '../api/index.ts'
import { problemsOf } from './state.ts'

/** What an object's conditions complain about: in words, with what the platform says and what mends it. */
export function ProblemNotices({ object, actions }: { readonly object: Tenant | Project | ProjectNamespace; readonly actions?: ReactNode }) {
  const { t } = useTranslation('tenancy')
  return problemsOf(object).map(({ type, known, reason, tone, message }) => (
    <Notice key={type} tone={tone} title={known === undefined ? reason : t(`reason.${known}`)} actions={actions}>
      {message}
      {known !== undefined && <span className="mt-1 block text-ink">{t(`remedy.${known}`)}</span>}
    </Notice>
  ))
}
