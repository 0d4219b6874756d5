import { Dialog, ErrorNotice, Field, Select, TextInput, useAnswer, useServices, useWork, FormActions } from '@gantry/console-kit'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { accessRoleKind, userNameProblem, type AccessRole, type CreatedUser, type CreateUserRequest } from '../api/index.ts'
import { PasswordShown } from './password-shown.tsx'

const rolesPath = `/apis/${accessRoleKind.apiVersion}/${accessRoleKind.plural}`

/** Makes a user with a password that is shown once, and changed at the first sign-in. */
export function CreateUserDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation('access')
  const { api } = useServices()
  const roles = useAnswer<{ readonly items: readonly AccessRole[] }>(rolesPath)
  const [name, setName] = useState('')
  const [displayName, setDisplayName] = useState('')
  const [role, setRole] = useState('')
  const [made, setMade] = useState<CreatedUser>()
  const { isBusy, error, run } = useWork()
  const problem = name === '' ? undefined : userNameProblem(name)

  function submit(event: FormEvent): void {
    event.preventDefault()
    const body: CreateUserRequest = { name, ...(displayName === '' ? {} : { displayName }), ...(role === '' ? {} : { role }) }
    void run(async () => setMade(await api.json<CreatedUser>('/platform/v1/users', { method: 'POST', body })))
  }

  if (made?.password !== undefined) return <PasswordShown user={made.name} password={made.password} onClose={onClose} />
  return (
    <Dialog title={t('users.create')} description={t('users.createHelp')} onClose={onClose}>
      <form onSubmit={submit} className="flex flex-col gap-4 pb-3">
        <Field label={t('users.name')} error={problem}>
          <TextInput
            required
            name="user-name"
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
        <Field label={t('users.displayName')}>
          <TextInput name="display-name" autoComplete="off" maxLength={100} value={displayName} onChange={(event) => setDisplayName(event.target.value)} />
        </Field>
        <Field label={t('users.role')} hint={t('users.roleHelp')}>
          <Select value={role} onChange={(event) => setRole(event.target.value)}>
            <option value="">{t('users.noRole')}</option>
            {(roles.value?.items ?? []).map(({ metadata }) => (
              <option key={metadata.name}>{metadata.name}</option>
            ))}
          </Select>
        </Field>
        {error !== undefined && <ErrorNotice error={error} title={t('users.createFailed')} />}
        <FormActions cancel={t('cancel')} submit={t('users.create')} isBusy={isBusy} disabled={problem !== undefined} onCancel={onClose} />
      </form>
    </Dialog>
  )
}
