import { Dialog, ErrorNotice, Field, Select, TextInput, useConsole, useLiveObjects, useServices, useToast, useWork, FormActions } from '@gantry/console-kit'
import { membershipKind, projectKind, tenantKind, type Membership, type Project, type Tenant } from '@gantry/tenancy/api'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { accessRoleBindingKind, accessRoleKind, type AccessRole, type AccessRoleBinding } from '../../api/index.ts'
import { hubQuery, hubTarget } from '../kind-type.ts'
import { scopeKinds, type GrantScope, type GrantSubject } from './grant.ts'
import { expiryChoices, grantObject, placesOf, type Expiry } from './new-grant.ts'
import { NamespacesInput, SuggestInput, useScopeWords } from './parts.tsx'
import { wordsOf } from './rule.ts'
import { useSubjects } from './use-subjects.ts'

const rolesQuery = hubQuery(accessRoleKind)
const tenantsQuery = hubQuery(tenantKind)
const projectsQuery = hubQuery(projectKind)

/** Gives a role to a user or group somewhere, for good or for a while. */
export function GiveRoleDialog({
  subject: given,
  role: chosenRole = '',
  onClose,
}: {
  readonly subject?: GrantSubject | undefined
  readonly role?: string
  readonly onClose: () => void
}) {
  const { t } = useTranslation('access')
  const { client } = useServices()
  const { fleet } = useConsole()
  const toast = useToast()
  const wordsOfScope = useScopeWords()
  const { users, groups } = useSubjects()
  const { objects: roles } = useLiveObjects<AccessRole>(rolesQuery)
  const { objects: tenants } = useLiveObjects<Tenant>(tenantsQuery)
  const { objects: projects } = useLiveObjects<Project>(projectsQuery)
  const { isBusy, error, run } = useWork()
  const [subject, setSubject] = useState<GrantSubject>(given ?? { kind: 'User', name: '' })
  const [role, setRole] = useState(chosenRole)
  const [kind, setKind] = useState<GrantScope['kind']>('cluster')
  const [cluster, setCluster] = useState(fleet.members[0]?.name ?? '')
  const [namespaces, setNamespaces] = useState('')
  const [placeKey, setPlaceKey] = useState('')
  const [expiry, setExpiry] = useState<Expiry>('never')
  const [until, setUntil] = useState('')
  const [reason, setReason] = useState('')
  const places = placesOf(kind, { tenants, projects })
  const place = places.find(({ key }) => key === placeKey) ?? places[0]
  const scope: GrantScope | undefined =
    kind === 'platform'
      ? { kind }
      : kind === 'cluster'
        ? { kind, cluster }
        : kind === 'namespaces'
          ? { kind, cluster, namespaces: wordsOf(namespaces) }
          : place?.scope
  const names = subject.kind === 'User' ? users.map(({ metadata }) => metadata.name ?? '') : groups.map(({ name }) => name)

  function submit(event: FormEvent): void {
    event.preventDefault()
    if (scope === undefined) return
    void run(async () => {
      const made = grantObject({ role: role.trim(), subject: { ...subject, name: subject.name.trim() }, scope, expiry, until, reason }, Date.now())
      if (made.kind === 'Membership') await client.create<Membership>(hubTarget(membershipKind, made.metadata.namespace), made)
      else await client.create<AccessRoleBinding>(hubTarget(accessRoleBindingKind), made)
      toast('ok', t('grants.give.done', { who: subject.name.trim(), role: role.trim(), where: wordsOfScope(scope) }))
      onClose()
    })
  }

  return (
    <Dialog size="medium" title={t('grants.give.title')} description={t('grants.give.help')} onClose={onClose}>
      <form onSubmit={submit} className="flex flex-col gap-4 pb-3">
        <div className="grid grid-cols-1 gap-3 sm:grid-cols-[10rem_minmax(0,1fr)]">
          <Field label={t('grants.give.to')}>
            <Select value={subject.kind} onChange={(event) => setSubject({ kind: event.target.value === 'Group' ? 'Group' : 'User', name: '' })}>
              <option value="User">{t('grants.give.user')}</option>
              <option value="Group">{t('grants.give.group')}</option>
            </Select>
          </Field>
          <Field label={t(subject.kind === 'User' ? 'grants.give.userName' : 'grants.give.groupName')}>
            <SuggestInput
              required
              name="subject"
              maxLength={253}
              options={names}
              value={subject.name}
              onChange={(event) => setSubject({ ...subject, name: event.target.value })}
            />
          </Field>
        </div>
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
            <Select name="scope" value={kind} onChange={(event) => setKind(event.target.value as GrantScope['kind'])}>
              {scopeKinds.map((one) => (
                <option key={one} value={one}>
                  {t(`grants.scope.${one}`)}
                </option>
              ))}
            </Select>
          </Field>
          {(kind === 'cluster' || kind === 'namespaces') && (
            <Field label={t('explain.cluster')}>
              <Select name="cluster" value={cluster} onChange={(event) => setCluster(event.target.value)}>
                {fleet.members.map(({ name, displayName }) => (
                  <option key={name} value={name}>
                    {displayName}
                  </option>
                ))}
              </Select>
            </Field>
          )}
          {(kind === 'tenant' || kind === 'project') && (
            <Field label={t(`grants.scope.${kind}`)} error={place === undefined ? t(`grants.give.no.${kind}`) : undefined}>
              <Select name="place" value={place?.key ?? ''} onChange={(event) => setPlaceKey(event.target.value)}>
                {places.map(({ key, label }) => (
                  <option key={key} value={key}>
                    {label}
                  </option>
                ))}
              </Select>
            </Field>
          )}
        </div>
        {kind === 'namespaces' && <NamespacesInput value={namespaces} onChange={setNamespaces} />}
        {kind === 'platform' && <p className="text-sm text-warn">{t('grants.give.platformHelp')}</p>}
        <div className="grid grid-cols-1 gap-3 sm:grid-cols-2">
          <Field label={t('grants.until')}>
            <Select name="expiry" value={expiry} onChange={(event) => setExpiry(event.target.value as Expiry)}>
              {expiryChoices.map((one) => (
                <option key={one} value={one}>
                  {t(`grants.expiry.${one}`)}
                </option>
              ))}
            </Select>
          </Field>
          {expiry === 'at' && (
            <Field label={t('grants.give.at')}>
              <TextInput required type="datetime-local" name="until" value={until} onChange={(event) => setUntil(event.target.value)} />
            </Field>
          )}
        </div>
        <Field label={t('grants.reason')} hint={t('grants.give.reasonHint')}>
          <TextInput name="reason" maxLength={1000} value={reason} onChange={(event) => setReason(event.target.value)} />
        </Field>
        {error !== undefined && <ErrorNotice error={error} title={t('grants.give.failed')} />}
        <FormActions cancel={t('cancel')} submit={t('grants.give.action')} isBusy={isBusy} disabled={scope === undefined} onCancel={onClose} />
      </form>
    </Dialog>
  )
}
