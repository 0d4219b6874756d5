import { Button, Dialog, ErrorNotice, Field, Notice, TextInput, useConsole, useServices, Select } from '@gantry/console-kit'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import type { ExplainRequest, Explanation } from '../api/index.ts'
import { SmallTable } from './small-table.tsx'
import { useWork } from './use-work.ts'

const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'] as const

/** Whether somebody may do something, and by which rule. */
export function ExplainDialog({ user, onClose }: { readonly user: string; readonly onClose: () => void }) {
  const { t } = useTranslation('access')
  const { api } = useServices()
  const { fleet } = useConsole()
  const [asked, setAsked] = useState({ verb: 'get', what: 'pods', cluster: fleet.members[0]?.name ?? '', namespace: '' })
  const [answer, setAnswer] = useState<Explanation>()
  const { isBusy, error, run } = useWork()

  function submit(event: FormEvent): void {
    event.preventDefault()
    const [full = '', subresource = ''] = asked.what.trim().split('/', 2)
    const [resource = '', ...group] = full.split('.')
    const body: ExplainRequest = {
      user,
      verb: asked.verb,
      cluster: asked.cluster,
      resource,
      group: group.join('.'),
      subresource,
      namespace: asked.namespace.trim(),
    }
    void run(async () => setAnswer(await api.json<Explanation>('/platform/v1/access/explain', { method: 'POST', body })))
  }

  return (
    <Dialog size="large" title={t('explain.title', { name: user })} description={t('explain.help')} onClose={onClose}>
      <form onSubmit={submit} className="grid grid-cols-1 items-end gap-3 sm:grid-cols-5">
        <Field label={t('explain.verb')}>
          <Select value={asked.verb} onChange={(event) => setAsked({ ...asked, verb: event.target.value })}>
            {verbs.map((verb) => (
              <option key={verb}>{verb}</option>
            ))}
          </Select>
        </Field>
        <Field label={t('explain.resource')}>
          <TextInput
            required
            name="resource"
            placeholder="deployments.apps"
            value={asked.what}
            onChange={(event) => setAsked({ ...asked, what: event.target.value })}
          />
        </Field>
        <Field label={t('explain.cluster')}>
          <Select value={asked.cluster} onChange={(event) => setAsked({ ...asked, cluster: event.target.value })}>
            {fleet.members.map(({ name, displayName }) => (
              <option key={name} value={name}>
                {displayName}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={t('explain.namespace')}>
          <TextInput name="namespace" value={asked.namespace} onChange={(event) => setAsked({ ...asked, namespace: event.target.value })} />
        </Field>
        <Button look="primary" type="submit" isBusy={isBusy}>
          {t('explain.ask')}
        </Button>
      </form>
      <div className="flex flex-col gap-3 py-4">
        {error !== undefined && <ErrorNotice error={error} title={t('explain.failed')} />}
        {answer !== undefined && (
          <>
            <Notice tone={answer.allowed ? 'ok' : 'error'} title={t(answer.allowed ? (answer.partly ? 'explain.partly' : 'explain.yes') : 'explain.no')}>
              {answer.reason}
            </Notice>
            <div className="rounded-lg border border-line">
              <SmallTable
                label={t('explain.rules')}
                rows={answer.rules}
                keyOf={({ binding, role, rule }) => `${binding} ${role} ${rule}`}
                none={t('explain.noRules')}
                columns={[
                  { title: t('explain.binding'), cell: ({ binding }) => binding },
                  { title: t('explain.role'), cell: ({ role, rule }) => t('explain.ruleOf', { role, rule }) },
                  { title: t('explain.effect'), cell: ({ effect }) => effect },
                  { title: t('explain.why'), cell: ({ matches, because }) => (matches === 'no' ? (because ?? '') : t(`explain.matches.${matches}`)) },
                ]}
              />
            </div>
          </>
        )}
      </div>
    </Dialog>
  )
}
