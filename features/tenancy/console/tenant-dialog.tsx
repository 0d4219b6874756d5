import { Dialog, Field, TextInput, useServices, useToast, useWork } from '@gantry/console-kit'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'
import { tenantKind, type Tenant } from '../api/index.ts'
import { amountsText } from './amounts.ts'
import { CliHint } from './cli-hint.tsx'
import { ClusterChoice, useClusterNames } from './cluster-choice.tsx'
import { FormFooter } from './form-footer.tsx'
import { tenantType } from './kinds.ts'
import { scopeSpec } from './project-form.ts'
import { emptyScope, isComplete, NameFields, QuotaFields, scopeForm } from './scope-fields.tsx'
import { hrefOf, isName, nameOf } from './scope.ts'
import { specPatch } from './spec-patch.ts'

/** Makes a tenant, or changes one. */
export function TenantDialog({ tenant, onClose }: { readonly tenant?: Tenant | undefined; readonly onClose: () => void }) {
  const { t } = useTranslation('tenancy')
  const { client: hubClient } = useServices()
  const toast = useToast()
  const [, navigate] = useLocation()
  // What is shown is what it was when the dialog opened: only what differs from that is written.
  const [before] = useState(tenant)
  const [name, setName] = useState('')
  const [clusters, setClusters] = useState<readonly string[]>(() => before?.spec.clusters.filter((cluster) => cluster !== '*') ?? [])
  const [form, setForm] = useState(() => (before === undefined ? emptyScope : scopeForm(before.spec)))
  const { isBusy, error, run } = useWork()
  const known = useClusterNames(clusters.length === 0 ? undefined : clusters)
  const isReady = (before !== undefined || isName(name)) && isComplete(form, [])
  // What this form does not show stays as it is.
  const { displayName: _1, description: _2, mode: _3, quota: _4, ...kept } = before?.spec ?? { clusters: [] }
  const spec: Tenant['spec'] = { ...kept, ...scopeSpec(form), clusters: clusters.length === 0 ? ['*'] : [...clusters] }

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    const { apiVersion, kind } = tenantKind
    if (before === undefined) {
      if (!(await run(async () => void (await hubClient.create({ cluster: undefined, type: tenantType }, { apiVersion, kind, metadata: { name }, spec })))))
        return
      toast('ok', t('tenant.created', { name: form.displayName || name }))
      navigate(hrefOf({ tenant: name, project: undefined }))
      return
    }
    const patch = specPatch(before.spec, spec)
    const ref = { cluster: undefined, type: tenantType, name: before.metadata.name ?? '' }
    if (patch !== undefined && !(await run(async () => void (await hubClient.mergePatch(ref, { spec: patch }))))) return
    toast('ok', t('changed', { name: nameOf(before) }))
    onClose()
  }

  return (
    <Dialog
      size="medium"
      title={before === undefined ? t('tenant.create') : t('tenant.edit', { name: nameOf(before) })}
      description={t('tenant.help')}
      onClose={onClose}
    >
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4 pb-3">
        {before === undefined && (
          <Field label={t('column.name')} hint={t('form.nameHint')} error={name !== '' && !isName(name) ? t('form.nameProblem') : undefined}>
            <TextInput required autoComplete="off" autoCapitalize="none" spellCheck={false} value={name} onChange={(event) => setName(event.target.value)} />
          </Field>
        )}
        <NameFields form={form} onChange={(part) => setForm({ ...form, ...part })} />
        <ClusterChoice allLabel={t('form.everyCluster')} allowed={undefined} chosen={clusters} onChange={setClusters} />
        <QuotaFields
          form={form}
          onChange={(part) => setForm({ ...form, ...part })}
          limits={[]}
          clusters={known}
          usualMode={t('form.modeUsual', { mode: t('quota.mode.Allocation') })}
        />
        {before === undefined && spec.quota?.clusters === undefined && <CliHint>{createLine(name || 'NAME', spec)}</CliHint>}
        <FormFooter
          submit={before === undefined ? t('create') : t('save')}
          failed={t('failed')}
          error={error}
          isBusy={isBusy}
          isReady={isReady}
          onClose={onClose}
        />
      </form>
    </Dialog>
  )
}

function createLine(name: string, { clusters, quota, mode }: Tenant['spec']): string {
  return [
    `gantry tenants create ${name}`,
    ...(clusters.includes('*') ? [] : [`--clusters ${clusters.join(',')}`]),
    ...(quota?.total === undefined ? [] : [`--total ${amountsText(quota.total)}`]),
    ...(quota?.namespaces === undefined ? [] : [`--namespaces ${quota.namespaces}`]),
    ...(mode === undefined ? [] : [`--mode ${mode}`]),
  ].join(' ')
}
