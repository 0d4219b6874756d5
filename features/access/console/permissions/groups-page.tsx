import { Button, lazily, useLiveObjects, useMay, useQueryState, type Column } from '@gantry/console-kit'
import { GroupIcon, PlusIcon } from '@gantry/console-kit/icons'
import type { ResourceRow } from '@gantry/console-kit/model'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { groupKind, userKind, type Group, type User } from '../../api/index.ts'
import { hubQuery } from '../kind-type.ts'
import { groupHref, type GroupView } from './group.ts'
import { LiveTable } from './live-table.tsx'
import { useGrants } from './use-grants.ts'
import { useSubjects } from './use-subjects.ts'

const CreateGroupDialog = lazily(async () => (await import('./group-dialogs.tsx')).CreateGroupDialog)

type GroupRow = ResourceRow & GroupView & { readonly grants: number }

const usersQuery = hubQuery(userKind)
const groupsQuery = hubQuery(groupKind)
const createGroup = [{ verb: 'create', type: groupKind }]
const hrefOf = ({ name }: GroupRow): string => groupHref(name)
const textOf = ({ name, displayName, members }: GroupRow): string => `${name} ${displayName ?? ''} ${members.join(' ')}`

/** Every group that roles can be given to, of the platform and of identity providers. */
export function GroupsPage() {
  const { t } = useTranslation('access')
  const query = useQueryState()
  const users = useLiveObjects<User>(usersQuery)
  const own = useLiveObjects<Group>(groupsQuery)
  const { groups } = useSubjects()
  const { grants } = useGrants()
  const [mayCreate] = useMay(createGroup)
  const [isCreating, setCreating] = useState(false)
  const rows = useMemo(
    () =>
      groups.map((group): GroupRow => ({
        ...group,
        key: group.name,
        cluster: '',
        namespace: '',
        uid: '',
        createdMs: undefined,
        isDeleting: false,
        grants: grants.filter(({ subjects }) => subjects.some(({ kind, name }) => kind === 'Group' && name === group.name)).length,
      })),
    [groups, grants],
  )
  const columns = useMemo<readonly Column<GroupRow>[]>(
    () => [
      { id: 'name', title: t('groups.name'), value: ({ name }) => name, width: 200, grow: 2, priority: 1 },
      { id: 'displayName', title: t('groups.displayName'), value: ({ displayName }) => displayName, width: 140, grow: 1, priority: 5 },
      { id: 'origin', title: t('groups.origin'), value: ({ kind }) => t(`groups.kinds.${kind}`), width: 150, grow: 1, priority: 3 },
      { id: 'members', title: t('groups.members'), value: ({ members }) => members.length, width: 90, align: 'end', priority: 2 },
      { id: 'grants', title: t('groups.roles'), value: (row) => row.grants, width: 80, align: 'end', priority: 4 },
    ],
    [t],
  )
  return (
    <>
      <LiveTable
        title={t('groups.title')}
        icon={GroupIcon}
        isLoading={users.phase === 'loading' || own.phase === 'loading'}
        errors={[own.error, users.error].filter((error) => error !== undefined)}
        rows={rows}
        total={rows.length}
        columns={columns}
        hrefOf={hrefOf}
        textOf={textOf}
        onClear={() => query.set({ search: '' })}
        emptyHelp={t('groups.emptyHelp')}
        buttons={
          mayCreate === true && (
            <Button look="primary" icon={PlusIcon} onClick={() => setCreating(true)}>
              {t('groups.create')}
            </Button>
          )
        }
      />
      {isCreating && <CreateGroupDialog onClose={() => setCreating(false)} />}
    </>
  )
}
