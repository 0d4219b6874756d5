import {
  Button,
  Dialog,
  ErrorNotice,
  Field,
  Select,
  TextInput,
  useAnswer,
  useMay,
  useNow,
  useServices,
  useToast,
  useWork,
  type KubeClient,
} from '@gantry/console-kit'
import { useId, useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { membershipKind, type Membership } from '../api/index.ts'
import { CliHint } from './cli-hint.tsx'
import { FormFooter } from './form-footer.tsx'
import { membershipType } from './kinds.ts'
import { endOf, lifetimes, newMembership, removalOf, usualRoles, type Lifetime, type MemberRow, type Subject } from './members.ts'
import { placeOf, textOf, type Scope } from './scope.ts'

interface Named {
  readonly items: readonly { readonly metadata: { readonly name?: string } }[]
}

const access = { group: 'access.gantry.dev', version: 'v1alpha1' }
const otherRole = '*'
/** What everybody has anyway: no role of a project. */
const signedInRole = 'signed-in'

/** Names of a kind of the platform, where the caller may list it: for choices. None otherwise. */
function useNames(plural: string): readonly string[] {
  const [mayList] = useMay([{ verb: 'list', type: { group: access.group, plural } }])
  const { value } = useAnswer<Named>(mayList === true ? `/apis/${access.group}/${access.version}/${plural}?limit=500` : undefined)
  return (value?.items ?? []).map(({ metadata }) => metadata.name ?? '')
}

function RoleField({ scope, role, onChange }: { readonly scope: Scope; readonly role: string; readonly onChange: (role: string) => void }) {
  const { t } = useTranslation('tenancy')
  const usual: readonly string[] = usualRoles[scope.project === undefined ? 'tenant' : 'project']
  const listed = useNames('accessroles').filter((name) => name !== signedInRole && !usual.includes(name))
  const known = [...usual, ...listed]
  const isOther = !known.includes(role)
  return (
    <>
      <Field label={t('members.role')} hint={usual.includes(role) ? t(`members.roleHelp.${role}`) : t('members.roleHelp.other')}>
        <Select value={isOther ? otherRole : role} onChange={(event) => onChange(event.target.value === otherRole ? '' : event.target.value)}>
          {known.map((name) => (
            <option key={name}>{name}</option>
          ))}
          <option value={otherRole}>{t('members.otherRole')}</option>
        </Select>
      </Field>
      {isOther && (
        <Field label={t('members.roleName')}>
          <TextInput required autoComplete="off" spellCheck={false} value={role} onChange={(event) => onChange(event.target.value)} />
        </Field>
      )}
    </>
  )
}

function createMembership(hubClient: KubeClient, scope: Scope, spec: Membership['spec']): Promise<unknown> {
  const { apiVersion, kind } = membershipKind
  const namespace = placeOf(scope)
  return hubClient.create({ cluster: undefined, type: membershipType, namespace }, { apiVersion, kind, ...newMembership(namespace, spec) })
}

async function takeOut(hubClient: KubeClient, row: MemberRow): Promise<void> {
  const { namespace, name = '' } = row.membership.metadata
  const ref = { cluster: undefined, type: membershipType, namespace, name }
  const removal = removalOf(row)
  if (removal.kind === 'delete') await hubClient.delete(ref, { uid: removal.uid, resourceVersion: removal.resourceVersion })
  else await hubClient.mergePatch(ref, removal.patch)
}

/** Gives somebody a role, for good or for a while. */
export function AddMemberDialog({ scope, onClose }: { readonly scope: Scope; readonly onClose: () => void }) {
  const { t } = useTranslation('tenancy')
  const { client: hubClient } = useServices()
  const toast = useToast()
  const listId = useId()
  const [kind, setKind] = useState<Subject['kind']>('User')
  const [name, setName] = useState('')
  const [role, setRole] = useState<string>(scope.project === undefined ? 'tenant-admin' : 'project-editor')
  const [lifetime, setLifetime] = useState<Lifetime>('good')
  const [reason, setReason] = useState('')
  const users = useNames('users')
  const groups = useNames('groups')
  const nowMs = useNow()
  const { isBusy, error, run } = useWork()

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    const expirationTime = endOf(lifetime, nowMs)
    const spec: Membership['spec'] = {
      role: role.trim(),
      subjects: [{ kind, name: name.trim() }],
      ...(expirationTime === undefined ? {} : { expirationTime }),
      ...(reason.trim() === '' ? {} : { reason: reason.trim() }),
    }
    if (!(await run(async () => void (await createMembership(hubClient, scope, spec))))) return
    toast('ok', t('members.added', { name: name.trim(), role: spec.role, scope: textOf(scope) }))
    onClose()
  }

  return (
    <Dialog title={t('members.addTo', { scope: textOf(scope) })} description={t('members.help')} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4 pb-3">
        <div className="grid grid-cols-[8rem_1fr] gap-3">
          <Field label={t('members.kind')}>
            <Select value={kind} onChange={(event) => setKind(event.target.value === 'Group' ? 'Group' : 'User')}>
              <option value="User">{t('members.user')}</option>
              <option value="Group">{t('members.group')}</option>
            </Select>
          </Field>
          <Field label={t('column.name')}>
            <TextInput
              required
              name="member"
              list={listId}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              maxLength={253}
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
          </Field>
        </div>
        <datalist id={listId}>
          {(kind === 'User' ? users : groups).map((one) => (
            <option key={one}>{one}</option>
          ))}
        </datalist>
        <RoleField scope={scope} role={role} onChange={setRole} />
        <Field label={t('members.for')}>
          <Select value={lifetime} onChange={(event) => setLifetime(event.target.value as Lifetime)}>
            {(Object.keys(lifetimes) as Lifetime[]).map((one) => (
              <option key={one} value={one}>
                {t(`members.lifetime.${one}`)}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={t('members.reason')}>
          <TextInput autoComplete="off" maxLength={1_000} value={reason} onChange={(event) => setReason(event.target.value)} />
        </Field>
        {scope.project !== undefined && (
          <CliHint>{`gantry projects members ${textOf(scope)} --add ${name || 'NAME'}${kind === 'Group' ? ' --group' : ''} --role ${role || 'ROLE'}`}</CliHint>
        )}
        <FormFooter submit={t('members.add')} failed={t('members.addFailed')} error={error} isBusy={isBusy} onClose={onClose} />
      </form>
    </Dialog>
  )
}

/** Another role for somebody who is a member. They have the new one before the old one goes. */
export function ChangeRoleDialog({ scope, row, onClose }: { readonly scope: Scope; readonly row: MemberRow; readonly onClose: () => void }) {
  const { t } = useTranslation('tenancy')
  const { client: hubClient } = useServices()
  const toast = useToast()
  const [role, setRole] = useState(row.role)
  const { isBusy, error, run } = useWork()
  const { name } = row.subject

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    const isDone = await run(async () => {
      const { role: _, subjects: __, ...kept } = row.membership.spec
      await createMembership(hubClient, scope, { ...kept, role: role.trim(), subjects: [row.subject] })
      await takeOut(hubClient, row)
    })
    if (!isDone) return
    toast('ok', t('members.added', { name, role: role.trim(), scope: textOf(scope) }))
    onClose()
  }

  return (
    <Dialog title={t('members.changeOf', { name })} description={t('members.changeHelp', { role: row.role, scope: textOf(scope) })} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4 pb-3">
        <RoleField scope={scope} role={role} onChange={setRole} />
        <FormFooter
          submit={t('members.change')}
          failed={t('members.changeFailed')}
          error={error}
          isBusy={isBusy}
          isReady={role.trim() !== row.role}
          onClose={onClose}
        />
      </form>
    </Dialog>
  )
}

/** Takes a role from somebody, at once. */
export function RemoveMemberDialog({ scope, row, onClose }: { readonly scope: Scope; readonly row: MemberRow; readonly onClose: () => void }) {
  const { t } = useTranslation('tenancy')
  const { client: hubClient } = useServices()
  const toast = useToast()
  const { isBusy, error, run } = useWork()
  const { name } = row.subject

  async function remove(): Promise<void> {
    if (!(await run(() => takeOut(hubClient, row)))) return
    toast('ok', t('members.removed', { name, role: row.role, scope: textOf(scope) }))
    onClose()
  }

  return (
    <Dialog
      title={t('members.removeTitle', { name, scope: textOf(scope) })}
      description={t('members.removeHelp', { role: row.role })}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button look="danger" isBusy={isBusy} onClick={() => void remove()}>
            {t('members.remove')}
          </Button>
        </>
      }
    >
      {error !== undefined && <ErrorNotice error={error} title={t('members.removeFailed')} />}
    </Dialog>
  )
}
