import { Checkbox, Dialog, ErrorNotice, Field, Notice, Select, TextInput, useServices, useToast, useWork, FormActions } from '@gantry/console-kit'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { canonicalResource, projectNamespaceKind, type NamespaceMove, type Project, type ProjectNamespace, type QuotaView } from '../api/index.ts'
import { amountOf, amountsText, type ResourceList } from './amounts.ts'
import { CliHint } from './cli-hint.tsx'
import { useClusterNames } from './cluster-choice.tsx'
import { FormFooter } from './form-footer.tsx'
import { namespaceType } from './kinds.ts'
import { isNamespaceName, neededIn, quotaOf, sharesForWaiting, usualNamespace, type NamespaceForm } from './namespace-form.ts'
import { placeOf, scopeOfProject, textOf, type Scope } from './scope.ts'
import { SharesTable } from './shares-table.tsx'
import { specPatch } from './spec-patch.ts'

const areAmounts = (amounts: Readonly<Record<string, string>>): boolean =>
  Object.values(amounts).every((amount) => amount.trim() === '' || amountOf(amount) !== undefined)

const refOf = ({ metadata: { namespace, name = '' } }: ProjectNamespace) => ({ cluster: undefined, type: namespaceType, namespace, name })

const usualResources = ['requests.cpu', 'requests.memory']

/** What a namespace has its say about: what is limited above it, what it says already, and otherwise the usual. */
function resourcesFor(cluster: string, view: QuotaView | undefined, said: Readonly<Record<string, string | number>>): readonly string[] {
  const named = Object.keys(said)
  const isNamed = (resource: string): boolean => named.some((name) => canonicalResource(name) === canonicalResource(resource))
  const limited = neededIn(cluster, view?.limits ?? []).map(({ resource }) => resource)
  const all = [...limited.filter((resource) => !isNamed(resource)), ...named]
  return all.length === 0 ? usualResources : all
}

const textAmounts = (list: Readonly<Record<string, string | number>> | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(list ?? {}).map(([resource, amount]) => [resource, String(amount)]))

/** A field for each resource, with what is free of it. */
function AmountFields({
  cluster,
  view,
  defaults,
  amounts,
  onChange,
}: {
  readonly cluster: string
  /** What it has of what it does not say. */
  readonly defaults: ResourceList
  readonly view: QuotaView | undefined
  readonly amounts: Readonly<Record<string, string>>
  readonly onChange: (amounts: Readonly<Record<string, string>>) => void
}) {
  const { t } = useTranslation('tenancy')
  const needed = neededIn(cluster, view?.limits ?? [])
  const isNeeded = view?.mode === 'Allocation'
  return (
    <fieldset>
      <legend className="mb-1 text-sm font-medium">{t('namespaces.quota')}</legend>
      {view?.mode === 'Consumption' && <p className="mb-2 text-xs text-muted">{t('namespaces.bound')}</p>}
      <div className="grid gap-3 sm:grid-cols-2">
        {resourcesFor(cluster, view, amounts).map((resource) => {
          const isSame = (name: string): boolean => canonicalResource(name) === canonicalResource(resource)
          const free = needed.find((one) => isSame(one.resource))?.free
          const usual = Object.entries(defaults).find(([name]) => isSame(name))?.[1]
          const value = amounts[resource] ?? ''
          return (
            <Field
              key={resource}
              label={resource}
              hint={free === undefined ? undefined : t('namespaces.free', { free })}
              error={value !== '' && amountOf(value) === undefined ? t('form.lineProblem.amount') : undefined}
            >
              <TextInput
                required={isNeeded && free !== undefined && usual === undefined}
                spellCheck={false}
                placeholder={usual === undefined ? t('form.amountExample') : t('namespaces.usual', { amount: usual })}
                value={value}
                onChange={(event) => onChange({ ...amounts, [resource]: event.target.value })}
              />
            </Field>
          )
        })}
      </div>
    </fieldset>
  )
}

export interface NewNamespaceProps {
  readonly scope: Scope
  readonly view: QuotaView | undefined
  /** Clusters that the project may use; undefined: every one. */
  readonly allowed: readonly string[] | undefined
  /** Clusters in which it has namespaces: for who sees no others. */
  readonly usedClusters: readonly string[]
  /** What a namespace of the project has of what it does not say. */
  readonly defaults: ResourceList
  readonly onClose: () => void
}

/** Makes a namespace of a project in a cluster, or takes one that is there. */
export function NewNamespaceDialog({ scope, view, allowed, usedClusters, defaults, onClose }: NewNamespaceProps) {
  const { t } = useTranslation('tenancy')
  const { client: hubClient } = useServices()
  const toast = useToast()
  const known = useClusterNames(allowed)
  const clusters = known.length === 0 ? usedClusters : known
  const [form, setForm] = useState<NamespaceForm>({ name: '', cluster: clusters[0] ?? '', namespace: '', environment: '', adopt: false, amounts: {} })
  const { isBusy, error, run } = useWork()
  const change = (part: Partial<NamespaceForm>): void => setForm((current) => ({ ...current, ...part }))
  const usual = usualNamespace(scope.tenant, scope.project ?? '', form.name || 'NAME')
  const there = form.namespace === '' ? usualNamespace(scope.tenant, scope.project ?? '', form.name) : form.namespace
  const isReady = isNamespaceName(form.name) && isNamespaceName(there) && form.cluster !== '' && areAmounts(form.amounts)
  const quota = quotaOf(form.amounts)

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    const { apiVersion, kind } = projectNamespaceKind
    const namespace = placeOf(scope)
    const spec: ProjectNamespace['spec'] = {
      cluster: form.cluster,
      namespace: there,
      ...(form.environment === '' ? {} : { environment: form.environment }),
      ...(form.adopt ? { adopt: true } : {}),
      ...(quota === undefined ? {} : { quota }),
    }
    const target = { cluster: undefined, type: namespaceType, namespace }
    if (!(await run(async () => void (await hubClient.create(target, { apiVersion, kind, metadata: { name: form.name, namespace }, spec }))))) return
    toast('ok', t('namespaces.created', { name: there, cluster: form.cluster }))
    onClose()
  }

  return (
    <Dialog size="medium" title={t('namespaces.create')} description={t('namespaces.createHelp', { project: textOf(scope) })} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4 pb-3">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            label={t('column.name')}
            hint={t('namespaces.nameHint')}
            error={form.name !== '' && !isNamespaceName(form.name) ? t('form.namespaceProblem') : undefined}
          >
            <TextInput
              required
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              value={form.name}
              onChange={(event) => change({ name: event.target.value })}
            />
          </Field>
          <Field label={t('column.cluster')}>
            {clusters.length === 0 ? (
              <TextInput required autoComplete="off" spellCheck={false} value={form.cluster} onChange={(event) => change({ cluster: event.target.value })} />
            ) : (
              <Select value={form.cluster} onChange={(event) => change({ cluster: event.target.value })}>
                {clusters.map((cluster) => (
                  <option key={cluster}>{cluster}</option>
                ))}
              </Select>
            )}
          </Field>
          <Field label={t('namespaces.there')} error={form.name !== '' && !isNamespaceName(there) ? t('form.namespaceProblem') : undefined}>
            <TextInput
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              placeholder={usual}
              value={form.namespace}
              onChange={(event) => change({ namespace: event.target.value })}
            />
          </Field>
          <Field label={t('column.environment')} hint={t('namespaces.environmentHint')}>
            <TextInput
              autoComplete="off"
              maxLength={24}
              spellCheck={false}
              value={form.environment}
              onChange={(event) => change({ environment: event.target.value })}
            />
          </Field>
        </div>
        <AmountFields cluster={form.cluster} view={view} defaults={defaults} amounts={form.amounts} onChange={(amounts) => change({ amounts })} />
        <div>
          <Checkbox label={t('namespaces.adopt')} checked={form.adopt} onChange={(event) => change({ adopt: event.target.checked })} />
          {form.adopt && <p className="mt-1 text-xs text-muted">{t('namespaces.adoptHelp')}</p>}
        </div>
        <CliHint>
          {[
            `gantry namespaces create ${textOf(scope)} ${form.name || 'NAME'} --cluster ${form.cluster || 'CLUSTER'}`,
            ...(form.namespace === '' ? [] : [`-n ${form.namespace}`]),
            ...(quota === undefined ? [] : [`--quota ${amountsText(quota)}`]),
            ...(form.adopt ? ['--adopt'] : []),
          ].join(' ')}
        </CliHint>
        <FormFooter submit={t('create')} failed={t('failed')} error={error} isBusy={isBusy} isReady={isReady} onClose={onClose} />
      </form>
    </Dialog>
  )
}

/** Changes what a namespace may have. */
export function NamespaceQuotaDialog({
  object,
  view,
  defaults,
  onClose,
}: {
  readonly object: ProjectNamespace
  readonly view: QuotaView | undefined
  readonly defaults: ResourceList
  readonly onClose: () => void
}) {
  const { t } = useTranslation('tenancy')
  const { client: hubClient } = useServices()
  const toast = useToast()
  const [before] = useState(() => textAmounts(object.spec.quota))
  const [amounts, setAmounts] = useState(before)
  const { isBusy, error, run } = useWork()
  const { namespace, cluster } = object.spec

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    const patch = specPatch({ quota: before }, { quota: quotaOf(amounts) ?? {} })
    if (patch !== undefined && !(await run(async () => void (await hubClient.mergePatch(refOf(object), { spec: patch }))))) return
    toast('ok', t('changed', { name: namespace }))
    onClose()
  }

  return (
    <Dialog title={t('namespaces.quotaOf', { name: namespace })} description={t('namespaces.quotaHelp', { cluster })} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4 pb-3">
        <AmountFields cluster={cluster} view={view} defaults={defaults} amounts={amounts} onChange={setAmounts} />
        <FormFooter submit={t('save')} failed={t('failed')} error={error} isBusy={isBusy} isReady={areAmounts(amounts)} onClose={onClose} />
      </form>
    </Dialog>
  )
}

/** Gives all that wait for a quota theirs: an even share of what is free, unless something else is typed. */
export function ShareOutDialog({
  waiting,
  view,
  onClose,
}: {
  readonly waiting: readonly ProjectNamespace[]
  readonly view: QuotaView
  readonly onClose: () => void
}) {
  const { t } = useTranslation('tenancy')
  const { client: hubClient } = useServices()
  const toast = useToast()
  // Those that waited when it was opened: they stop waiting one by one.
  const [objects] = useState(waiting)
  const [shares] = useState(() => sharesForWaiting(waiting, view.limits))
  const [typed, setTyped] = useState<readonly Readonly<Record<string, string>>[]>(() => waiting.map(() => ({})))
  const { isBusy, error, run } = useWork()
  const resources = [...new Set(shares.flatMap((share) => Object.keys(share)))]

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    const isDone = await run(async () => {
      for (const [index, object] of objects.entries()) {
        const quota = quotaOf({ ...shares[index], ...typed[index] })
        // oxlint-disable-next-line no-await-in-loop -- each takes from what the one before has left
        if (quota !== undefined) await hubClient.mergePatch(refOf(object), { spec: { quota } })
      }
    })
    if (!isDone) return
    toast('ok', t('share.done', { count: objects.length }))
    onClose()
  }

  return (
    <Dialog size="medium" title={t('share.title')} description={t('share.help')} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4 pb-3">
        <SharesTable
          label={t('share.title')}
          titles={[t('column.namespace')]}
          resources={resources}
          rows={objects.map(({ metadata, spec }, index) => ({
            key: metadata.uid ?? spec.namespace,
            name: spec.namespace,
            share: shares[index] ?? {},
            amounts: typed[index] ?? {},
          }))}
          onChange={(index, amounts) => setTyped((current) => current.map((one, at) => (at === index ? amounts : one)))}
        />
        <FormFooter submit={t('share.submit')} failed={t('failed')} error={error} isBusy={isBusy} isReady={typed.every(areAmounts)} onClose={onClose} />
      </form>
    </Dialog>
  )
}

const policies = ['Wait', 'Retain', 'Delete'] as const
type Policy = (typeof policies)[number]

/** Takes a namespace out of its project, and says first what becomes of what is in it. */
export function RemoveNamespaceDialog({ scope, object, onClose }: { readonly scope: Scope; readonly object: ProjectNamespace; readonly onClose: () => void }) {
  const { t } = useTranslation('tenancy')
  const { client: hubClient } = useServices()
  const toast = useToast()
  const [policy, setPolicy] = useState<Policy>(object.spec.reclaimPolicy ?? 'Wait')
  const [typed, setTyped] = useState('')
  const { isBusy, error, run } = useWork()
  const { namespace, cluster } = object.spec
  const isReady = policy !== 'Delete' || typed === namespace

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    const isDone = await run(async () => {
      const reclaimPolicy = policy === 'Wait' ? null : policy
      if ((object.spec.reclaimPolicy ?? null) !== reclaimPolicy) await hubClient.mergePatch(refOf(object), { spec: { reclaimPolicy } })
      await hubClient.delete(refOf(object), { uid: object.metadata.uid })
    })
    if (!isDone) return
    toast('ok', t('namespaces.removing', { name: namespace }))
    onClose()
  }

  return (
    <Dialog
      title={t('namespaces.removeTitle', { name: namespace })}
      description={t('namespaces.removeHelp', { cluster, project: textOf(scope) })}
      onClose={onClose}
    >
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4 pb-3">
        <Field label={t('namespaces.fate')} hint={t(`namespaces.policyHelp.${policy}`)}>
          <Select value={policy} onChange={(event) => setPolicy(event.target.value as Policy)}>
            {policies.map((one) => (
              <option key={one} value={one}>
                {t(`namespaces.policy.${one}`)}
              </option>
            ))}
          </Select>
        </Field>
        {policy === 'Delete' && (
          <Field label={t('typeToConfirm', { name: namespace })}>
            <TextInput value={typed} autoComplete="off" spellCheck={false} onChange={(event) => setTyped(event.target.value)} />
          </Field>
        )}
        <CliHint>{`gantry namespaces delete ${textOf(scope)} ${object.metadata.name}${policy === 'Wait' ? '' : ` --reclaim-policy ${policy}`}`}</CliHint>
        {error !== undefined && <ErrorNotice error={error} title={t('failed')} />}
        <FormActions cancel={t('cancel')} submit={t('namespaces.remove')} isBusy={isBusy} look="danger" disabled={!isReady} onCancel={onClose} />
      </form>
    </Dialog>
  )
}

/** Moves a namespace to another project of its tenant. Whether it can go there is asked first: nothing is changed by that. */
export function MoveDialog({
  scope,
  object,
  projects,
  onClose,
}: {
  readonly scope: Scope
  readonly object: ProjectNamespace
  readonly projects: readonly Project[]
  readonly onClose: () => void
}) {
  const { t } = useTranslation('tenancy')
  const { api } = useServices()
  const toast = useToast()
  const goals = projects.map(scopeOfProject).filter(({ tenant, project }) => tenant === scope.tenant && project !== scope.project)
  const [to, setTo] = useState(() => (goals[0] === undefined ? '' : textOf(goals[0])))
  const [fits, setFits] = useState<string>()
  const [asked, setAsked] = useState<string>()
  const { isBusy, error, run } = useWork()
  const { namespace, cluster } = object.spec
  const path = `/platform/v1/projectnamespaces/${encodeURIComponent(object.metadata.namespace ?? '')}/${encodeURIComponent(object.metadata.name ?? '')}/move`

  function ask(dryRun: boolean): Promise<boolean> {
    setAsked(to)
    return run(async () => void (await api.json<NamespaceMove>(path, { method: 'POST', body: { to, dryRun } })))
  }

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    if (fits !== to) {
      if (await ask(true)) setFits(to)
      return
    }
    if (!(await ask(false))) return
    toast('ok', t('move.begun', { name: namespace, to }))
    onClose()
  }

  return (
    <Dialog title={t('move.title', { name: namespace })} description={t('move.help', { cluster })} onClose={onClose}>
      {goals.length === 0 ? (
        <p className="pb-4 text-sm">{t('move.nowhere')}</p>
      ) : (
        <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4 pb-3">
          <Field label={t('move.to')}>
            <Select value={to} onChange={(event) => setTo(event.target.value)}>
              {goals.map((goal) => (
                <option key={textOf(goal)}>{textOf(goal)}</option>
              ))}
            </Select>
          </Field>
          {fits === to && (
            <Notice tone="ok" title={t('move.fits', { to })}>
              {t('move.fitsHelp')}
            </Notice>
          )}
          <CliHint>{`gantry namespaces move ${textOf(scope)} ${object.metadata.name} ${to}`}</CliHint>
          <FormFooter
            submit={t(fits === to ? 'move.submit' : 'move.check')}
            failed={t('move.refused', { to })}
            error={asked === to ? error : undefined}
            isBusy={isBusy}
            onClose={onClose}
          />
        </form>
      )}
    </Dialog>
  )
}
