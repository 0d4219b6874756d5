import {
  Button,
  Empty,
  Fact,
  Facts,
  Loading,
  Notice,
  objectHref,
  PageHeader,
  SearchBox,
  Section,
  SmallTable,
  TableLink,
  useLiveObjects,
  useMay,
} from '@gantry/console-kit'
import { DeleteIcon, GroupIcon, PlusIcon, YamlIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation, useParams } from 'wouter'
import { groupKind, userKind, type Group, type User } from '../../api/index.ts'
import { hubHref, hubQuery, hubRef } from '../kind-type.ts'
import { fitsGrant, subjectKey } from './grant.ts'
import { GrantTable } from './grant-table.tsx'
import { AddMembersDialog, RemoveGroupDialog, RemoveMemberDialog } from './group-dialogs.tsx'
import { ListFailure } from './parts.tsx'
import { useGrants } from './use-grants.ts'
import { useSubjects } from './use-subjects.ts'

const usersQuery = hubQuery(userKind)
const groupsQuery = hubQuery(groupKind)
const mostShown = 200

/** One group: who is in it and by whom, and what that gives. */
export function GroupPage() {
  const { t } = useTranslation('access')
  const { name } = useParams() as { readonly name: string }
  const [, navigate] = useLocation()
  const users = useLiveObjects<User>(usersQuery)
  const own = useLiveObjects<Group>(groupsQuery)
  const { groups } = useSubjects()
  const { grants, errors } = useGrants()
  const target = hubRef(groupKind, name)
  const [mayUpdate, mayDelete] = useMay([
    { ...target, verb: 'update' },
    { ...target, verb: 'delete' },
  ])
  const [open, setOpen] = useState<{ readonly what: 'add' | 'delete' } | { readonly what: 'remove'; readonly member: string }>()
  const [text, setText] = useState('')
  const group = groups.find((one) => one.name === name)
  const object = own.objects.find(({ metadata }) => metadata.name === name)
  const byName = new Map(users.objects.map((user) => [user.metadata.name ?? '', user]))
  const subjects = new Set([subjectKey({ kind: 'Group', name })])
  const members = (group?.members ?? []).filter((member) =>
    `${member} ${byName.get(member)?.spec.displayName ?? ''}`.toLowerCase().includes(text.toLowerCase()),
  )
  const isOwn = object !== undefined
  const isLoading = users.phase === 'loading' || own.phase === 'loading'
  const close = (): void => setOpen(undefined)
  return (
    <div className="flex h-full flex-col overflow-auto">
      <PageHeader
        title={name}
        note={group !== undefined && <span className="rounded border border-line px-1.5 py-0.5 text-xs text-muted">{t(`groups.kinds.${group.kind}`)}</span>}
      >
        {isOwn && (
          <Link
            href={objectHref(target, 'yaml')}
            className="inline-flex h-8 items-center gap-1.5 rounded-md border border-line-strong bg-panel px-3 text-sm font-medium hover:bg-hover"
          >
            <YamlIcon aria-hidden className="size-4" />
            {t('grants.yaml')}
          </Link>
        )}
        {isOwn && mayDelete === true && (
          <Button icon={DeleteIcon} className="text-error" onClick={() => setOpen({ what: 'delete' })}>
            {t('groups.remove.action')}
          </Button>
        )}
        {isOwn && mayUpdate === true && (
          <Button look="primary" icon={PlusIcon} onClick={() => setOpen({ what: 'add' })}>
            {t('groups.add.action')}
          </Button>
        )}
      </PageHeader>
      <div className="flex flex-col gap-4 px-4 pb-6 md:px-5">
        {[own.error, users.error]
          .filter((error) => error !== undefined)
          .map((error) => (
            <ListFailure key={error.message} error={error} what={t('groups.title')} />
          ))}
        {isLoading && <Loading label={t('permissions.loading', { what: t('groups.title') })} />}
        {!isLoading && group === undefined && (
          <Empty icon={GroupIcon} title={t('groups.unknown', { name })}>
            {t('groups.unknownHelp')}
          </Empty>
        )}
        {group !== undefined && (
          <>
            {group.kind !== 'own' && (
              <Notice tone="neutral" title={t(`groups.kinds.${group.kind}`)}>
                {t(`groups.help.${group.kind}`)}
              </Notice>
            )}
            {group.displayName !== undefined && (
              <Section title={t('groups.one')}>
                <Facts>
                  <Fact name={t('groups.displayName')}>{group.displayName}</Fact>
                </Facts>
              </Section>
            )}
            <Section title={t('groups.members')} note={<span className="text-xs text-muted tabular-nums">{group.members.length}</span>}>
              {group.members.length > 10 && (
                <div className="border-b border-line px-4 py-2">
                  <SearchBox value={text} onChange={setText} />
                </div>
              )}
              <SmallTable
                label={t('groups.members')}
                rows={members.slice(0, mostShown)}
                keyOf={(member) => member}
                none={t('groups.noMembers')}
                columns={[
                  {
                    title: t('users.name'),
                    cell: (member) => (byName.has(member) ? <TableLink href={hubHref(userKind, member)}>{member}</TableLink> : member),
                  },
                  { title: t('users.displayName'), isWide: true, cell: (member) => byName.get(member)?.spec.displayName ?? '–' },
                  {
                    title: t('groups.by'),
                    cell: (member) => (group.unknown.includes(member) ? t('groups.noUser') : (byName.get(member)?.spec.identity?.provider ?? t('users.local'))),
                  },
                  {
                    title: t('actions'),
                    isSilent: true,
                    cell: (member) =>
                      isOwn && mayUpdate === true && <Button onClick={() => setOpen({ what: 'remove', member })}>{t('groups.removeMember.action')}</Button>,
                  },
                ]}
              />
              {members.length > mostShown && <p className="px-4 py-2 text-sm text-muted">{t('grants.more', { count: members.length - mostShown })}</p>}
            </Section>
            <Section title={t('groups.gives')}>
              {errors.map((error) => (
                <ListFailure key={error.message} error={error} what={t('grants.title')} />
              ))}
              <GrantTable grants={grants.filter((grant) => fitsGrant(grant, { subjects, role: '', scope: '' }))} of="subject" none={t('groups.givesNothing')} />
            </Section>
          </>
        )}
      </div>
      {object !== undefined && open?.what === 'add' && <AddMembersDialog group={object} users={users.objects} onClose={close} />}
      {object !== undefined && open?.what === 'remove' && <RemoveMemberDialog group={object} member={open.member} grants={grants} onClose={close} />}
      {object !== undefined && open?.what === 'delete' && (
        <RemoveGroupDialog
          group={object}
          grants={grants}
          onClose={(isDone) => {
            close()
            if (isDone) navigate('/groups')
          }}
        />
      )}
    </div>
  )
}
