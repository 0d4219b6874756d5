import { Button, Dialog, ErrorNotice, Field, Notice, TextInput, useServices, useToast, useWork, FormActions } from '@gantry/console-kit'
import { DeleteIcon } from '@gantry/console-kit/icons'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'
import { groupKind, type Group, type User } from '../../api/index.ts'
import { hubRef, hubTarget } from '../kind-type.ts'
import type { Grant } from './grant.ts'
import { groupHref } from './group.ts'
import { SuggestInput, useScopeWords } from './parts.tsx'
import { wordsOf } from './rule.ts'

export function CreateGroupDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation('access')
  const { client } = useServices()
  const toast = useToast()
  const [, navigate] = useLocation()
  const { isBusy, error, run } = useWork()
  const [name, setName] = useState('')
  const [displayName, setDisplayName] = useState('')
  const [members, setMembers] = useState('')

  function submit(event: FormEvent): void {
    event.preventDefault()
    void run(async () => {
      const { apiVersion, kind } = groupKind
      const spec = { ...(displayName.trim() === '' ? {} : { displayName: displayName.trim() }), members: wordsOf(members) }
      await client.create<Group>(hubTarget(groupKind), { apiVersion, kind, metadata: { name }, spec })
      toast('ok', t('groups.made', { name }))
      onClose()
      navigate(groupHref(name))
    })
  }

  return (
    <Dialog title={t('groups.create')} description={t('groups.createHelp')} onClose={onClose}>
      <form onSubmit={submit} className="flex flex-col gap-4 pb-3">
        <Field label={t('groups.name')}>
          <TextInput
            required
            name="group-name"
            maxLength={253}
            pattern="[a-z0-9]([a-z0-9.\-]*[a-z0-9])?"
            title={t('roles.namePattern')}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
        <Field label={t('groups.displayName')}>
          <TextInput name="group-display-name" maxLength={100} value={displayName} onChange={(event) => setDisplayName(event.target.value)} />
        </Field>
        <Field label={t('groups.members')} hint={t('groups.membersHint')}>
          <TextInput
            name="group-members"
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            value={members}
            onChange={(event) => setMembers(event.target.value)}
          />
        </Field>
        {error !== undefined && <ErrorNotice error={error} title={t('groups.notSaved')} />}
        <FormActions cancel={t('cancel')} submit={t('groups.create')} isBusy={isBusy} onCancel={onClose} />
      </form>
    </Dialog>
  )
}

export function AddMembersDialog({ group, users, onClose }: { readonly group: Group; readonly users: readonly User[]; readonly onClose: () => void }) {
  const { t } = useTranslation('access')
  const toast = useToast()
  const write = useMembers(group)
  const { isBusy, error, run } = useWork()
  const [names, setNames] = useState('')
  const inside = new Set(group.spec.members)
  const { name } = group.metadata

  function submit(event: FormEvent): void {
    event.preventDefault()
    void run(async () => {
      await write([...new Set([...group.spec.members, ...wordsOf(names)])])
      toast('ok', t('groups.add.done', { name }))
      onClose()
    })
  }

  return (
    <Dialog title={t('groups.add.title', { name })} onClose={onClose}>
      <form onSubmit={submit} className="flex flex-col gap-4 pb-3">
        <Field label={t('groups.add.names')} hint={t('groups.membersHint')}>
          <SuggestInput
            required
            name="new-members"
            options={users.map(({ metadata }) => metadata.name ?? '').filter((user) => !inside.has(user))}
            value={names}
            onChange={(event) => setNames(event.target.value)}
          />
        </Field>
        {error !== undefined && <ErrorNotice error={error} title={t('groups.notSaved')} />}
        <FormActions cancel={t('cancel')} submit={t('groups.add.action')} isBusy={isBusy} onCancel={onClose} />
      </form>
    </Dialog>
  )
}

interface LossProps {
  readonly group: Group
  readonly grants: readonly Grant[]
}

export function RemoveMemberDialog({ group, member, grants, onClose }: LossProps & { readonly member: string; readonly onClose: () => void }) {
  const { t } = useTranslation('access')
  const toast = useToast()
  const write = useMembers(group)
  const { isBusy, error, run } = useWork()
  const { name } = group.metadata
  return (
    <Dialog
      title={t('groups.removeMember.title', { member, name })}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button
            look="danger"
            isBusy={isBusy}
            onClick={() =>
              void run(async () => {
                await write(group.spec.members.filter((one) => one !== member))
                toast('ok', t('groups.removeMember.done', { member, name }))
                onClose()
              })
            }
          >
            {t('groups.removeMember.action')}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3">
        <GroupLoss group={group} grants={grants} />
        {error !== undefined && <ErrorNotice error={error} title={t('groups.notSaved')} />}
      </div>
    </Dialog>
  )
}

export function RemoveGroupDialog({ group, grants, onClose }: LossProps & { readonly onClose: (done: boolean) => void }) {
  const { t } = useTranslation('access')
  const { client } = useServices()
  const toast = useToast()
  const { isBusy, error, run } = useWork()
  const { name = '', uid } = group.metadata
  return (
    <Dialog
      title={t('groups.remove.title', { name })}
      description={t('groups.remove.help', { count: group.spec.members.length })}
      onClose={() => onClose(false)}
      footer={
        <>
          <Button onClick={() => onClose(false)}>{t('cancel')}</Button>
          <Button
            look="danger"
            icon={DeleteIcon}
            isBusy={isBusy}
            onClick={() =>
              void run(async () => {
                await client.delete(hubRef(groupKind, name), { uid })
                toast('ok', t('groups.remove.done', { name }))
                onClose(true)
              })
            }
          >
            {t('groups.remove.action')}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3">
        <GroupLoss group={group} grants={grants} />
        {error !== undefined && <ErrorNotice error={error} title={t('groups.notSaved')} />}
      </div>
    </Dialog>
  )
}

/** What being in the group gives. */
function GroupLoss({ group, grants }: LossProps) {
  const { t } = useTranslation('access')
  const wordsOf = useScopeWords()
  const own = grants.filter(({ subjects }) => subjects.some(({ kind, name }) => kind === 'Group' && name === group.metadata.name))
  if (own.length === 0) return <Notice tone="neutral" title={t('groups.givesNothing')} />
  return (
    <Notice tone="warn" title={t('groups.loses')}>
      {own.map(({ key, role, scope }) => (
        <span key={key} className="block">
          {t('groups.roleAt', { role, where: wordsOf(scope) })}
        </span>
      ))}
    </Notice>
  )
}

/** Writes the members over the version that is shown: what somebody else has just changed is not lost. */
function useMembers(group: Group): (members: readonly string[]) => Promise<void> {
  const { client } = useServices()
  return async (members) => {
    const { apiVersion, kind } = groupKind
    await client.replace<Group>(hubRef(groupKind, group.metadata.name ?? ''), { ...group, apiVersion, kind, spec: { ...group.spec, members: [...members] } })
  }
}
