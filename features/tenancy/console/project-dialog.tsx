import { Button, Dialog, ErrorNotice, Field, IconButton, Notice, Select, TextInput, useServices, useToast, useWork, type ApiError } from '@gantry/console-kit'
import { CloseIcon, PlusIcon } from '@gantry/console-kit/icons'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'
import { projectKind } from '../api/index.ts'
import { amountsText, problemsOfLines } from './amounts.ts'
import { CliHint } from './cli-hint.tsx'
import { ClusterChoice, useClusterNames } from './cluster-choice.tsx'
import { FormFooter } from './form-footer.tsx'
import { projectType } from './kinds.ts'
import { LinesEditor } from './lines-editor.tsx'
import {
  environmentNamespace,
  environmentProblems,
  environmentResources,
  environmentShares,
  limitsOfLines,
  projectSpec,
  resourceLimits,
  usualEnvironments,
  withLimits,
  type EnvironmentLine,
  type LimitAbove,
  type Mode,
  type ProjectForm,
} from './project-form.ts'
import { emptyScope, isComplete, NameFields, QuotaFields } from './scope-fields.tsx'
import { clustersOf, hrefOf, isName, placeOf, scopeOfProject, textOf, type Scope } from './scope.ts'
import { SharesTable } from './shares-table.tsx'
import { useProjectQuota, useTenantQuota } from './use-quota.ts'
import type { Tenancy } from './use-tenancy.ts'

const mostEnvironments = 16

/** Makes a project: what it stands in, its quota, and its environments with their part of it. */
export function ProjectDialog({
  places,
  within,
  tenancy,
  onClose,
}: {
  /** What it may stand in: at least one. */
  readonly places: readonly Scope[]
  readonly within?: Scope | undefined
  readonly tenancy: Tenancy
  readonly onClose: () => void
}) {
  const { t } = useTranslation('tenancy')
  const { client: hubClient } = useServices()
  const toast = useToast()
  const [, navigate] = useLocation()
  const [above, setAbove] = useState(() => textOf(within ?? places[0] ?? { tenant: '', project: undefined }))
  const [form, setForm] = useState<ProjectForm>({ ...emptyScope, name: '', clusters: [], defaults: [], environments: usualEnvironments })
  const { isBusy, error, run } = useWork()
  const scope = places.find((place) => textOf(place) === above) ?? places[0]
  const standing = useStanding(scope, tenancy)
  const allowed = scope === undefined ? undefined : clustersOf(scope, tenancy)
  const names = useClusterNames(form.clusters.length === 0 ? allowed : form.clusters)
  const change = (part: Partial<ProjectForm>): void => setForm((current) => ({ ...current, ...part }))

  const mode: Mode = form.mode === '' ? standing.mode : form.mode
  const limits = standing.mode === 'Allocation' ? standing.limits : []
  const whole: ProjectForm = { ...form, lines: withLimits(form.lines, resourceLimits(limits)) }
  const problems = environmentProblems(scope?.tenant ?? '', form)
  const isReady = scope !== undefined && isName(form.name) && isComplete(form, limits) && problemsOfLines(form.defaults).size === 0 && problems.size === 0
  const spec = projectSpec(whole, mode)
  const path = { tenant: scope?.tenant ?? '', project: form.name }

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    if (scope === undefined) return
    const { apiVersion, kind } = projectKind
    const target = { cluster: undefined, type: projectType, namespace: placeOf(scope) }
    const object = { apiVersion, kind, metadata: { name: form.name, namespace: placeOf(scope) }, spec }
    if (!(await run(async () => void (await hubClient.create(target, object))))) return
    toast('ok', t('project.created', { name: textOf(path) }))
    navigate(hrefOf(path))
  }

  return (
    <Dialog size="medium" title={t('project.create')} description={t('project.help')} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4 pb-3">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={t('project.in')}>
            <Select
              value={above}
              onChange={(event) => {
                setAbove(event.target.value)
                change({ clusters: [], lines: form.lines.filter(({ amount }) => amount !== '') })
              }}
            >
              {places.map((place) => (
                <option key={textOf(place)}>{textOf(place)}</option>
              ))}
            </Select>
          </Field>
          <Field label={t('column.name')} hint={t('form.nameHint')} error={form.name !== '' && !isName(form.name) ? t('form.nameProblem') : undefined}>
            <TextInput
              required
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              value={form.name}
              onChange={(event) => change({ name: event.target.value })}
            />
          </Field>
        </div>
        <NameFields form={form} onChange={change} />
        <ClusterChoice allLabel={t('form.clustersAbove', { above })} allowed={allowed} chosen={form.clusters} onChange={(clusters) => change({ clusters })} />
        {standing.problem !== undefined && <ErrorNotice error={standing.problem} title={t('quota.failed')} />}
        {limits.length > 0 && (
          <Notice tone="neutral" title={t('form.limited', { above })}>
            {t('form.limitedHelp')}
          </Notice>
        )}
        <QuotaFields
          form={form}
          onChange={change}
          limits={limits}
          clusters={names}
          usualMode={t('form.modeAbove', { mode: t(`quota.mode.${standing.mode}`), above })}
        />
        <LinesEditor
          title={t('form.defaults')}
          hint={t('form.defaultsHint')}
          lines={form.defaults}
          onChange={(defaults) => change({ defaults })}
          clusters={[]}
        />
        <Environments
          form={whole}
          mode={mode}
          tenant={scope?.tenant ?? ''}
          clusters={names}
          problems={problems}
          onChange={(environments) => change({ environments })}
        />
        {canBeTyped(spec) && <CliHint>{createLine(path, scope?.project, spec)}</CliHint>}
        <FormFooter submit={t('create')} failed={t('failed')} error={error} isBusy={isBusy} isReady={isReady} onClose={onClose} />
      </form>
    </Dialog>
  )
}

/** How quotas count where a project is to stand, and what is limited there. */
function useStanding(
  scope: Scope | undefined,
  { tenants, projects }: Tenancy,
): { readonly mode: Mode; readonly limits: readonly LimitAbove[]; readonly problem: ApiError | undefined } {
  const isTenant = scope !== undefined && scope.project === undefined
  const tenant = isTenant ? tenants.find(({ metadata }) => metadata.name === scope.tenant) : undefined
  const project = scope === undefined || isTenant ? undefined : projects.find((one) => textOf(scopeOfProject(one)) === textOf(scope))
  const ofTenant = useTenantQuota(tenant, projects)
  const ofProject = useProjectQuota(project, [])
  if (tenant !== undefined) return { mode: tenant.spec.mode ?? 'Allocation', limits: limitsOfLines(ofTenant.lines), problem: ofTenant.error }
  return { mode: ofProject.view?.mode ?? 'Allocation', limits: limitsOfLines(ofProject.view?.limits ?? []), problem: ofProject.error }
}

function Environments({
  form,
  mode,
  tenant,
  clusters,
  problems,
  onChange,
}: {
  readonly form: ProjectForm
  readonly mode: Mode
  readonly tenant: string
  readonly clusters: readonly string[]
  readonly problems: ReturnType<typeof environmentProblems>
  readonly onChange: (environments: readonly EnvironmentLine[]) => void
}) {
  const { t } = useTranslation('tenancy')
  const { environments } = form
  const shares = environmentShares(form)
  const resources = mode === 'Consumption' ? [] : environmentResources(shares)
  const change = (index: number, part: Partial<EnvironmentLine>): void => onChange(environments.map((one, at) => (at === index ? { ...one, ...part } : one)))
  const add = (name: string): void => onChange([...environments, { name, cluster: '', amounts: {} }])
  const hasStaging = environments.some(({ name }) => name === 'staging')
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 text-sm font-medium">{t('environments.title')}</legend>
      <p className="text-xs text-muted">{t(resources.length > 0 ? 'environments.shared' : 'environments.help')}</p>
      {environments.length > 0 && (
        <SharesTable
          label={t('environments.title')}
          titles={[t('column.environment'), t('column.cluster')]}
          resources={resources}
          onChange={(index, amounts) => change(index, { amounts })}
          rows={environments.map(({ name, cluster, amounts }, index) => ({
            key: String(index),
            name,
            share: shares[index] ?? {},
            amounts,
            head: (
              <>
                <td className="min-w-28 pr-2 pb-2">
                  <TextInput
                    aria-label={t('environments.name')}
                    aria-invalid={problems.has(index)}
                    spellCheck={false}
                    autoCapitalize="none"
                    value={name}
                    onChange={(event) => change(index, { name: event.target.value })}
                  />
                  {problems.has(index) && <p className="mt-0.5 text-xs text-error">{t(`environments.problem.${problems.get(index) ?? 'name'}`)}</p>}
                </td>
                <td className="min-w-32 pr-2 pb-2">
                  <Select aria-label={t('environments.cluster', { name })} value={cluster} onChange={(event) => change(index, { cluster: event.target.value })}>
                    <option value="">{t('environments.firstCluster')}</option>
                    {clusters.map((one) => (
                      <option key={one}>{one}</option>
                    ))}
                  </Select>
                </td>
              </>
            ),
            tail: (
              <IconButton icon={CloseIcon} label={t('environments.remove', { name })} onClick={() => onChange(environments.filter((_, at) => at !== index))} />
            ),
          }))}
        />
      )}
      {form.name !== '' && environments.length > 0 && (
        <p className="text-xs break-words text-muted">
          {t('environments.made', { names: environments.map(({ name }) => environmentNamespace(tenant, form.name, name)).join(', ') })}
        </p>
      )}
      <div className="flex flex-wrap gap-2">
        {!hasStaging && (
          <Button look="quiet" icon={PlusIcon} disabled={environments.length >= mostEnvironments} onClick={() => add('staging')}>
            {t('environments.addStaging')}
          </Button>
        )}
        <Button look="quiet" icon={PlusIcon} disabled={environments.length >= mostEnvironments} onClick={() => add('')}>
          {t('environments.add')}
        </Button>
      </div>
    </fieldset>
  )
}

/** The command line has no words for the quotas of environments and of single clusters. */
const canBeTyped = ({ quota, namespaceDefaultQuota, environments = [] }: ReturnType<typeof projectSpec>): boolean =>
  quota?.clusters === undefined && namespaceDefaultQuota === undefined && environments.every((environment) => environment.quota === undefined)

function createLine(path: Scope, within: string | undefined, { clusters, quota, mode, environments = [] }: ReturnType<typeof projectSpec>): string {
  const names = environments.map(({ name, cluster }) => (cluster === undefined ? name : `${name}=${cluster}`)).join(',')
  return [
    `gantry projects create ${path.tenant}/${path.project === '' ? 'NAME' : path.project}`,
    ...(within === undefined ? [] : [`--in ${within}`]),
    `--environments ${names === '' ? 'none' : names}`,
    ...(clusters === undefined ? [] : [`--clusters ${clusters.join(',')}`]),
    ...(quota?.total === undefined ? [] : [`--total ${amountsText(quota.total)}`]),
    ...(quota?.namespaces === undefined ? [] : [`--namespaces ${quota.namespaces}`]),
    ...(mode === undefined ? [] : [`--mode ${mode}`]),
  ].join(' ')
}
