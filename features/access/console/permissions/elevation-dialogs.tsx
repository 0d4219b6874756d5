import {
  Dialog,
  ErrorNotice,
  Fact,
  Facts,
  Field,
  Select,
  TextInput,
  useConsole,
  useLiveObjects,
  useServices,
  useToast,
  useWork,
  FormActions,
} from '@gantry/console-kit'
import { projectKind, tenantKind, type Project, type Tenant } from '@gantry/tenancy/api'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { accessRoleKind, type AccessRole, type ElevationRequest } from '../../api/index.ts'
import { hubQuery } from '../kind-type.ts'
import { askedElevation, durationChoices, durationText, elevationsPath, scopeOfElevation, type choicesFor } from './elevation.ts'
import type { GrantScope } from './grant.ts'
import { placesOf } from './new-grant.ts'
import { NamespacesInput, RiskMarks, RuleList, SuggestInput, useScopeWords } from './parts.tsx'
import { wordsOf } from './rule.ts'

const rolesQuery = hubQuery(accessRoleKind)
const scopes = ['cluster', 'namespaces', 'project', 'tenant', 'platform'] as const
const tenantsQuery = hubQuery(tenantKind)
const projectsQuery = hubQuery(projectKind)

/** Asks for a role for a while; somebody else decides. */
export function AskElevationDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation('access')
  const { api } = useServices()
  const { fleet } = useConsole()
  const toast = useToast()
  const { objects: roles } = useLiveObjects<AccessRole>(rolesQuery)
  const { objects: tenants } = useLiveObjects<Tenant>(tenantsQuery)
  const { objects: projects } = useLiveObjects<Project>(projectsQuery)
  const { isBusy, error, run } = useWork()
  const [role, setRole] = useState('')
  const [kind, setKind] = useState<(typeof scopes)[number]>('cluster')
  const [cluster, setCluster] = useState(fleet.members[0]?.name ?? '')
  const [namespaces, setNamespaces] = useState('')
  const [place, setPlace] = useState('')
  const [durationSeconds, setDuration] = useState<number>(3_600)
  const [reason, setReason] = useState('')
  const clusters = fleet.members.map(({ name }) => name)
  const [tenant = '', project = ''] = place.split('/').map((part) => part.trim())
  const scopeOf: Readonly<Record<(typeof scopes)[number], GrantScope>> = {
    platform: { kind: 'platform' },
    cluster: { kind: 'cluster', cluster },
    namespaces: { kind: 'namespaces', cluster, namespaces: wordsOf(namespaces) },
    tenant: { kind: 'tenant', tenant },
    project: { kind: 'project', tenant, project },
  }

  function submit(event: FormEvent): void {
    event.preventDefault()
    void run(async () => {
      await api.json<ElevationRequest>(elevationsPath, { method: 'POST', body: askedElevation({ role, scope: scopeOf[kind], durationSeconds, reason }) })
      toast('ok', t('elevations.ask.done', { role: role.trim() }))
      onClose()
    })
  }

  return (
    <Dialog size="medium" title={t('elevations.ask.action')} description={t('elevations.ask.help')} onClose={onClose}>
      <form onSubmit={submit} className="flex flex-col gap-4 pb-3">
        <Field label={t('grants.role')} hint={roles.find(({ metadata }) => metadata.name === role)?.spec.description}>
          <SuggestInput
            required
            name="role"
            maxLength={253}
            options={roles.map(({ metadata }) => metadata.name ?? '')}
            value={role}
            onChange={(event) => setRole(event.target.value)}
          />
        </Field>
        <div className="grid grid-cols-1 gap-3 sm:grid-cols-2">
          <Field label={t('grants.where')}>
            <Select name="scope" value={kind} onChange={(event) => setKind(event.target.value as (typeof scopes)[number])}>
              {scopes.map((one) => (
                <option key={one} value={one}>
                  {t(`grants.scope.${one}`)}
                </option>
              ))}
            </Select>
          </Field>
          {(kind === 'tenant' || kind === 'project') && (
            <Field label={t(`grants.scope.${kind}`)} hint={kind === 'project' ? t('elevations.projectHint') : undefined}>
              <SuggestInput
                required
                name="place"
                pattern={kind === 'project' ? String.raw`[^\/]+\/[^\/]+` : String.raw`[^\/]+`}
                options={placesOf(kind, { tenants, projects }).map(({ key }) => key)}
                value={place}
                onChange={(event) => setPlace(event.target.value)}
              />
            </Field>
          )}
          {(kind === 'cluster' || kind === 'namespaces') && (
            <Field label={t('explain.cluster')}>
              <SuggestInput required name="cluster" maxLength={63} options={clusters} value={cluster} onChange={(event) => setCluster(event.target.value)} />
            </Field>
          )}
        </div>
        {kind === 'namespaces' && <NamespacesInput value={namespaces} onChange={setNamespaces} />}
        <Field label={t('elevations.duration')} hint={t('elevations.durationHelp')}>
          <Select name="duration" value={durationSeconds} onChange={(event) => setDuration(Number(event.target.value))}>
            {durationChoices.map((seconds) => (
              <option key={seconds} value={seconds}>
                {t(...durationText(seconds))}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={t('grants.reason')} hint={t('elevations.reasonHelp')}>
          <TextInput required name="reason" maxLength={500} pattern=".*\S.*" value={reason} onChange={(event) => setReason(event.target.value)} />
        </Field>
        {error !== undefined && <ErrorNotice error={error} title={t('elevations.ask.failed')} />}
        <FormActions cancel={t('cancel')} submit={t('elevations.ask.submit')} isBusy={isBusy} onCancel={onClose} />
      </form>
    </Dialog>
  )
}

/** Approves, denies, withdraws or ends a request, with a word to it. */
export function DecideDialog({
  request,
  choice,
  onClose,
}: {
  readonly request: ElevationRequest
  readonly choice: ReturnType<typeof choicesFor>[number]
  readonly onClose: () => void
}) {
  const { t } = useTranslation('access')
  const { api } = useServices()
  const toast = useToast()
  const wordsOfScope = useScopeWords()
  const { objects: roles } = useLiveObjects<AccessRole>(rolesQuery)
  const { isBusy, error, run } = useWork()
  const [message, setMessage] = useState('')
  const { spec, metadata } = request
  const where = wordsOfScope(scopeOfElevation(spec))
  const role = roles.find((one) => one.metadata.name === spec.role)
  const hasMessage = choice !== 'withdraw'

  function submit(event: FormEvent): void {
    event.preventDefault()
    void run(async () => {
      const said = message.trim()
      await api.json(`${elevationsPath}/${encodeURIComponent(metadata.name ?? '')}/${choice}`, { method: 'POST', body: said === '' ? {} : { message: said } })
      toast('ok', t(`elevations.${choice}.done`, { user: spec.user, role: spec.role }))
      onClose()
    })
  }

  return (
    <Dialog
      size="medium"
      title={t(`elevations.${choice}.title`, { user: spec.user, role: spec.role })}
      description={t(`elevations.${choice}.help`, { user: spec.user })}
      onClose={onClose}
    >
      <form onSubmit={submit} className="flex flex-col gap-4 pb-3">
        <div className="rounded-md border border-line bg-canvas">
          <Facts>
            <Fact name={t('elevations.who')}>{spec.user}</Fact>
            <Fact name={t('grants.where')}>{where}</Fact>
            <Fact name={t('elevations.duration')}>{t(...durationText(spec.durationSeconds))}</Fact>
            <Fact name={t('grants.reason')} isWide>
              {spec.reason}
            </Fact>
          </Facts>
        </div>
        {choice === 'approve' && role !== undefined && (
          <section aria-label={t('elevations.allows')} className="max-h-72 overflow-auto rounded-md border border-line">
            <div className="flex flex-wrap items-center gap-2 border-b border-line px-4 py-2">
              <h3 className="text-sm font-semibold">{t('elevations.allows')}</h3>
              <RiskMarks rules={role.spec.rules} />
            </div>
            <RuleList rules={role.spec.rules} />
          </section>
        )}
        {hasMessage && (
          <Field label={t('elevations.message')} hint={t('elevations.messageHelp', { user: spec.user })}>
            <TextInput name="message" required={choice === 'deny'} maxLength={500} value={message} onChange={(event) => setMessage(event.target.value)} />
          </Field>
        )}
        {error !== undefined && <ErrorNotice error={error} title={t('elevations.notDone')} />}
        <FormActions
          cancel={t('cancel')}
          submit={t(`elevations.${choice}.action`)}
          isBusy={isBusy}
          look={choice === 'approve' ? 'primary' : 'danger'}
          onCancel={onClose}
        />
      </form>
    </Dialog>
  )
}
