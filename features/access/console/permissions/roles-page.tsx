import { localClusterName } from '@gantry/clusters/api'
import { Button, lazily, Select, useLiveObjects, useMay, useQueryState, type Column } from '@gantry/console-kit'
import { PlusIcon, RoleIcon } from '@gantry/console-kit/icons'
import { baseRow, type ResourceRow } from '@gantry/console-kit/model'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { accessRoleKind, type AccessRole, type AccessRule } from '../../api/index.ts'
import { hubHref, hubQuery } from '../kind-type.ts'
import { isBuiltin } from './grant.ts'
import { LiveTable } from './live-table.tsx'
import { RiskMarks } from './parts.tsx'
import { risksOf } from './rule.ts'
import { useGrants } from './use-grants.ts'

const CreateRoleDialog = lazily(async () => (await import('./role-dialogs.tsx')).CreateRoleDialog)

interface RoleRow extends ResourceRow {
  readonly title: string
  readonly description: string
  readonly isBuiltin: boolean
  readonly rules: readonly AccessRule[]
  readonly grants: number
}

const rolesQuery = hubQuery(accessRoleKind)
const createRole = [{ verb: 'create', type: accessRoleKind }]
const hrefOf = ({ name }: RoleRow): string => hubHref(accessRoleKind, name)
const textOf = ({ name, title, description }: RoleRow): string => `${name} ${title} ${description}`

/** Every role: what it is for, how much it allows, and how often it is given. */
export function RolesPage() {
  const { t } = useTranslation('access')
  const query = useQueryState()
  const { phase, objects, error } = useLiveObjects<AccessRole>(rolesQuery)
  const { grants } = useGrants()
  const [mayCreate] = useMay(createRole)
  const [isCreating, setCreating] = useState(false)
  const origin = query.get('origin')
  const all = useMemo(() => rowsOf(objects, grants), [objects, grants])
  const rows = useMemo(() => all.filter((row) => origin === '' || row.isBuiltin === (origin === 'builtin')), [all, origin])
  const columns = useMemo<readonly Column<RoleRow>[]>(
    () => [
      { id: 'name', title: t('roles.name'), value: ({ name }) => name, width: 160, grow: 1, priority: 1 },
      { id: 'origin', title: t('roles.origin'), value: (row) => t(row.isBuiltin ? 'roles.builtin' : 'roles.own'), width: 90, priority: 3 },
      { id: 'grants', title: t('roles.given'), value: (row) => row.grants, width: 76, align: 'end', priority: 2 },
      { id: 'rules', title: t('roles.rules'), value: ({ rules }) => rules.length, width: 70, align: 'end', priority: 4 },
      {
        id: 'risks',
        title: t('roles.notable'),
        value: ({ rules }) => risksOf(rules).length,
        render: ({ rules }) => <RiskMarks rules={rules} />,
        width: 210,
        priority: 5,
      },
      {
        id: 'description',
        title: t('roles.description'),
        value: ({ title, description }) => [title, description].filter(Boolean).join(': '),
        width: 260,
        grow: 3,
        priority: 6,
      },
    ],
    [t],
  )
  return (
    <>
      <LiveTable
        title={t('roles.title')}
        icon={RoleIcon}
        isLoading={phase === 'loading'}
        errors={error === undefined ? [] : [error]}
        rows={rows}
        total={all.length}
        columns={columns}
        hrefOf={hrefOf}
        textOf={textOf}
        onClear={() => query.set({ search: '', origin: '' })}
        emptyHelp={t('roles.emptyHelp')}
        filters={
          <Select aria-label={t('roles.origin')} value={origin} onChange={(event) => query.set({ origin: event.target.value })} className="w-auto!">
            <option value="">{t('roles.allOrigins')}</option>
            <option value="builtin">{t('roles.builtin')}</option>
            <option value="own">{t('roles.own')}</option>
          </Select>
        }
        buttons={
          mayCreate === true && (
            <Button look="primary" icon={PlusIcon} onClick={() => setCreating(true)}>
              {t('roles.create')}
            </Button>
          )
        }
      />
      {isCreating && <CreateRoleDialog onClose={() => setCreating(false)} />}
    </>
  )
}

function rowsOf(roles: readonly AccessRole[], grants: readonly { readonly role: string }[]): readonly RoleRow[] {
  const counts = new Map<string, number>()
  for (const { role } of grants) counts.set(role, (counts.get(role) ?? 0) + 1)
  return roles.map((role) => ({
    ...baseRow(localClusterName, role),
    title: role.spec.displayName ?? '',
    description: role.spec.description ?? '',
    isBuiltin: isBuiltin(role),
    rules: role.spec.rules,
    grants: counts.get(role.metadata.name ?? '') ?? 0,
  }))
}
