import { Button, Dialog, ErrorNotice, Field, Notice, TextInput, useServices, useToast, useWork, FormActions } from '@gantry/console-kit'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import type { Project, Tenant } from '../api/index.ts'
import { linesOfQuota, problemsOfLines } from './amounts.ts'
import { ClusterChoice, useClusterNames } from './cluster-choice.tsx'
import { FormFooter } from './form-footer.tsx'
import { projectType, tenantType } from './kinds.ts'
import { LinesEditor } from './lines-editor.tsx'
import { listOfLines, scopeSpec } from './project-form.ts'
import { isComplete, NameFields, QuotaFields, scopeForm } from './scope-fields.tsx'
import { aboveOf, clustersOf, nameOf, textOf } from './scope.ts'
import { specPatch } from './spec-patch.ts'
import { useProjectQuota } from './use-quota.ts'
import type { Tenancy } from './use-tenancy.ts'

/** Changes what a project may have. */
export function EditProjectDialog({ project, tenancy, onClose }: { readonly project: Project; readonly tenancy: Tenancy; readonly onClose: () => void }) {
  const { t } = useTranslation('tenancy')
  const { client: hubClient } = useServices()
  const toast = useToast()
  // What is shown is what it was when the dialog opened: only what differs from that is written.
  const [before] = useState(project)
  const above = aboveOf(before)
  const [form, setForm] = useState(() => scopeForm(before.spec))
  const [clusters, setClusters] = useState<readonly string[]>(() => before.spec.clusters?.filter((cluster) => cluster !== '*') ?? [])
  const [defaults, setDefaults] = useState(() => linesOfQuota({ total: before.spec.namespaceDefaultQuota }))
  const { view } = useProjectQuota(before, [])
  const { isBusy, error, run } = useWork()
  const allowed = clustersOf(above, tenancy)
  const names = useClusterNames(clusters.length === 0 ? allowed : clusters)

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    // What this form does not show stays as it is.
    const { displayName: _1, description: _2, mode: _3, quota: _4, clusters: _5, namespaceDefaultQuota: _6, ...kept } = before.spec
    const list = listOfLines(defaults)
    const next: Project['spec'] = {
      ...kept,
      ...scopeSpec(form),
      ...(clusters.length === 0 ? {} : { clusters: [...clusters] }),
      ...(Object.keys(list).length === 0 ? {} : { namespaceDefaultQuota: list }),
    }
    const patch = specPatch(before.spec, next)
    const { namespace, name = '' } = before.metadata
    if (
      patch !== undefined &&
      !(await run(async () => void (await hubClient.mergePatch({ cluster: undefined, type: projectType, namespace, name }, { spec: patch }))))
    )
      return
    toast('ok', t('changed', { name: nameOf(before) }))
    onClose()
  }

  return (
    <Dialog size="medium" title={t('project.edit', { name: nameOf(before) })} description={t('project.editHelp')} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4 pb-3">
        <NameFields form={form} onChange={(part) => setForm({ ...form, ...part })} />
        <ClusterChoice allLabel={t('form.clustersAbove', { above: textOf(above) })} allowed={allowed} chosen={clusters} onChange={setClusters} />
        <QuotaFields
          form={form}
          onChange={(part) => setForm({ ...form, ...part })}
          limits={[]}
          clusters={names}
          usualMode={
            view === undefined || form.mode !== ''
              ? t('form.modeOfAbove', { above: textOf(above) })
              : t('form.modeAbove', { mode: t(`quota.mode.${view.mode}`), above: textOf(above) })
          }
        />
        <LinesEditor title={t('form.defaults')} hint={t('form.defaultsHint')} lines={defaults} onChange={setDefaults} clusters={[]} />
        <FormFooter
          submit={t('save')}
          failed={t('failed')}
          error={error}
          isBusy={isBusy}
          isReady={isComplete(form, []) && problemsOfLines(defaults).size === 0}
          onClose={onClose}
        />
      </form>
    </Dialog>
  )
}

type ScopeObject = { readonly tenant: Tenant } | { readonly project: Project }

const refOf = (object: ScopeObject) =>
  'tenant' in object
    ? { cluster: undefined, type: tenantType, name: object.tenant.metadata.name ?? '' }
    : { cluster: undefined, type: projectType, namespace: object.project.metadata.namespace, name: object.project.metadata.name ?? '' }

/** Suspends a tenant or lets it go on; locks a project or opens it. */
export function SwitchDialog({ object, onClose }: { readonly object: ScopeObject; readonly onClose: () => void }) {
  const { t } = useTranslation('tenancy')
  const { client: hubClient } = useServices()
  const toast = useToast()
  const { isBusy, error, run } = useWork()
  const change = 'tenant' in object ? (object.tenant.spec.suspended === true ? 'resume' : 'suspend') : object.project.spec.locked === true ? 'unlock' : 'lock'
  const name = nameOf('tenant' in object ? object.tenant : object.project)

  async function confirm(): Promise<void> {
    const value = change === 'suspend' || change === 'lock' ? true : null
    const spec = 'tenant' in object ? { suspended: value } : { locked: value }
    if (!(await run(async () => void (await hubClient.mergePatch(refOf(object), { spec }))))) return
    toast('ok', t('changed', { name }))
    onClose()
  }

  return (
    <Dialog
      title={t(`switch.${change}.title`, { name })}
      description={t(`switch.${change}.help`)}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button look={change === 'suspend' || change === 'lock' ? 'danger' : 'primary'} isBusy={isBusy} onClick={() => void confirm()}>
            {t(`switch.${change}.do`)}
          </Button>
        </>
      }
    >
      {error !== undefined && <ErrorNotice error={error} title={t('failed')} />}
    </Dialog>
  )
}

/** Deletes a tenant or project. Its name is typed: what is in it goes, or holds it up. */
export function RemoveScopeDialog({
  object,
  projects,
  onClose,
}: {
  readonly object: ScopeObject
  /** How many stand in it: they have to go first. */
  readonly projects: number
  readonly onClose: (removed: boolean) => void
}) {
  const { t } = useTranslation('tenancy')
  const { client: hubClient } = useServices()
  const toast = useToast()
  const [typed, setTyped] = useState('')
  const { isBusy, error, run } = useWork()
  const { metadata } = 'tenant' in object ? object.tenant : object.project
  const { name = '' } = metadata
  const what = 'tenant' in object ? 'tenant' : 'project'

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    if (!(await run(() => hubClient.delete(refOf(object), { uid: metadata.uid })))) return
    toast('ok', t('removing', { name }))
    onClose(true)
  }

  return (
    <Dialog title={t(`${what}.removeTitle`, { name })} description={t(`${what}.removeHelp`)} onClose={() => onClose(false)}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4 pb-3">
        {projects > 0 && <Notice tone="warn" title={t('hasProjects', { count: projects })} />}
        <Field label={t('typeToConfirm', { name })}>
          <TextInput value={typed} autoComplete="off" spellCheck={false} onChange={(event) => setTyped(event.target.value)} />
        </Field>
        {error !== undefined && <ErrorNotice error={error} title={t('failed')} />}
        <FormActions cancel={t('cancel')} submit={t('remove')} isBusy={isBusy} look="danger" disabled={typed !== name} onCancel={() => onClose(false)} />
      </form>
    </Dialog>
  )
}
