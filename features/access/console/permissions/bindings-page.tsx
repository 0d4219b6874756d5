import { Button, IconButton, lazily, Menu, MenuItem, objectHref, Select, useLiveObjects, useMay, useQueryState, type Column } from '@gantry/console-kit'
import { DeleteIcon, GrantIcon, HelpIcon, MoreIcon, PlusIcon, RoleIcon, YamlIcon } from '@gantry/console-kit/icons'
import { membershipKind } from '@gantry/tenancy/api'
import { useCallback, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'
import { accessRoleBindingKind, accessRoleKind, type AccessRole } from '../../api/index.ts'
import { hubHref, hubQuery, hubRef } from '../kind-type.ts'
import { fitsGrant, scopeKinds, scopeText, subjectKey, subjectOfKey, type Grant } from './grant.ts'
import { grantHref } from './grant-table.tsx'
import { LiveTable } from './live-table.tsx'
import { Subjects, SuggestInput, Until, useScopeWords } from './parts.tsx'
import { useGrants } from './use-grants.ts'
import { useSubjects, useSubjectsAs } from './use-subjects.ts'

const GiveRoleDialog = lazily(async () => (await import('./give-role-dialog.tsx')).GiveRoleDialog)
const RemoveGrantDialog = lazily(async () => (await import('./remove-grant-dialog.tsx')).RemoveGrantDialog)

const rolesQuery = hubQuery(accessRoleKind)
const createBinding = [
  { verb: 'create', type: accessRoleBindingKind },
  { verb: 'create', type: membershipKind },
]

/** Who has which role, where and until when. */
export function BindingsPage() {
  const { t } = useTranslation('access')
  const query = useQueryState()
  const wordsOf = useScopeWords()
  const { phase, grants, errors } = useGrants()
  const { objects: roles } = useLiveObjects<AccessRole>(rolesQuery)
  const { users, groups } = useSubjects()
  const may = useMay(createBinding)
  const [isGiving, setGiving] = useState(false)
  const [role, scope] = [query.get('role'), query.get('scope')]
  const asked = query.get('subject')
  const subject = useMemo(() => subjectOfKey(asked), [asked])
  const subjects = useSubjectsAs(subject)
  const rows = useMemo(() => grants.filter((grant) => fitsGrant(grant, { subjects, role, scope })), [grants, subjects, role, scope])
  const names = useMemo(
    () => [
      ...users.map(({ metadata }) => subjectKey({ kind: 'User', name: metadata.name ?? '' })),
      ...groups.map(({ name }) => subjectKey({ kind: 'Group', name })),
    ],
    [users, groups],
  )
  const roleNames = useMemo(
    () => [...new Set([...roles.map(({ metadata }) => metadata.name ?? ''), ...grants.map((grant) => grant.role), ...(role === '' ? [] : [role])])].toSorted(),
    [roles, grants, role],
  )
  const columns: readonly Column<Grant>[] = [
    { id: 'role', title: t('grants.role'), value: (grant) => grant.role, width: 150, grow: 1, priority: 1 },
    {
      id: 'subjects',
      title: t('grants.subjects'),
      value: (grant) => grant.subjects.map(({ name }) => name).join(' '),
      render: (grant) => <Subjects subjects={grant.subjects} most={4} />,
      width: 150,
      grow: 1.5,
      priority: 2,
    },
    { id: 'where', title: t('grants.where'), value: (grant) => wordsOf(grant.scope), width: 170, grow: 1.5, priority: 3 },
    { id: 'until', title: t('grants.until'), value: (grant) => grant.untilMs, render: (grant) => <Until untilMs={grant.untilMs} />, width: 100, priority: 4 },
    { id: 'reason', title: t('grants.reason'), value: (grant) => grant.reason, width: 160, grow: 1, priority: 6 },
    { id: 'name', title: t('grants.name'), value: (grant) => grant.name, width: 150, grow: 1, priority: 5 },
  ]
  return (
    <>
      <LiveTable
        title={t('grants.title')}
        icon={GrantIcon}
        isLoading={phase === 'loading'}
        errors={errors}
        rows={rows}
        total={grants.length}
        columns={columns}
        hrefOf={grantHref}
        textOf={textOf}
        rowMenu={useCallback(
          (grant: Grant) => (
            <GrantMenu grant={grant} />
          ),
          [],
        )}
        onClear={() => query.set({ search: '', subject: '', role: '', scope: '' })}
        emptyHelp={t('grants.emptyHelp')}
        filters={
          <>
            <SubjectFilter key={asked} value={asked} options={names} onChange={(value) => query.set({ subject: value })} />
            <Select aria-label={t('grants.role')} value={role} onChange={(event) => query.set({ role: event.target.value })} className="w-auto! max-w-44">
              <option value="">{t('grants.allRoles')}</option>
              {roleNames.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </Select>
            <Select aria-label={t('grants.where')} value={scope} onChange={(event) => query.set({ scope: event.target.value })} className="w-auto! max-w-44">
              <option value="">{t('grants.allScopes')}</option>
              {scopeKinds.map((kind) => (
                <option key={kind} value={kind}>
                  {t(`grants.scope.${kind}`)}
                </option>
              ))}
            </Select>
          </>
        }
        buttons={
          may.includes(true) && (
            <Button look="primary" icon={PlusIcon} onClick={() => setGiving(true)}>
              {t('grants.give.action')}
            </Button>
          )
        }
      />
      {isGiving && <GiveRoleDialog subject={subject} role={role} onClose={() => setGiving(false)} />}
    </>
  )
}

function textOf({ role, subjects, scope, name, reason }: Grant): string {
  return `${role} ${subjects.map((subject) => subject.name).join(' ')} ${scopeText(scope)} ${name} ${reason ?? ''}`
}

/** `User/ann` or a bare name of a user; it counts once it is left or Enter is pressed. */
function SubjectFilter({
  value,
  options,
  onChange,
}: {
  readonly value: string
  readonly options: readonly string[]
  readonly onChange: (value: string) => void
}) {
  const { t } = useTranslation('access')
  const [text, setText] = useState(value)
  const settle = (typed: string): void => {
    const name = typed.trim()
    const key = name === '' || subjectOfKey(name) !== undefined ? name : `User/${name}`
    if (key !== value) onChange(key)
  }
  return (
    <SuggestInput
      aria-label={t('grants.ofSubject')}
      placeholder={t('grants.ofSubject')}
      name="subject-filter"
      options={options}
      value={text}
      onChange={(event) => {
        setText(event.target.value)
        // What is chosen from the list is whole.
        if (event.target.value === '' || options.includes(event.target.value)) settle(event.target.value)
      }}
      onBlur={(event) => settle(event.target.value)}
      onKeyDown={(event) => {
        if (event.key === 'Enter') settle(event.currentTarget.value)
      }}
      className="w-52!"
    />
  )
}

const triggerLook = 'size-7'

/** What can be done about a grant. What whoever is signed in may do is asked only once the menu is. */
function GrantMenu({ grant }: { readonly grant: Grant }) {
  const { t } = useTranslation('access')
  const [isAsked, setAsked] = useState(false)
  const [isRemoving, setRemoving] = useState(false)
  const target = hubRef(grant.by === 'binding' ? accessRoleBindingKind : membershipKind, grant.name, grant.namespace)
  const label = t('grants.actionsOf', { name: grant.name })
  return (
    <>
      {isAsked ? (
        <OpenGrantMenu grant={grant} label={label} onRemove={() => setRemoving(true)} />
      ) : (
        <IconButton icon={MoreIcon} label={label} aria-haspopup="menu" onClick={() => setAsked(true)} className={triggerLook} />
      )}
      {isRemoving && <RemoveGrantDialog targets={[target]} onClose={() => setRemoving(false)} />}
    </>
  )
}

function OpenGrantMenu({ grant, label, onRemove }: { readonly grant: Grant; readonly label: string; readonly onRemove: () => void }) {
  const { t } = useTranslation('access')
  const [, navigate] = useLocation()
  const target = hubRef(grant.by === 'binding' ? accessRoleBindingKind : membershipKind, grant.name, grant.namespace)
  const [mayRemove] = useMay([{ ...target, verb: 'delete' }])
  const user = grant.subjects.find(({ kind }) => kind === 'User')
  return (
    <Menu defaultOpen trigger={<IconButton icon={MoreIcon} label={label} className={triggerLook} />}>
      <MenuItem icon={RoleIcon} onSelect={() => navigate(hubHref(accessRoleKind, grant.role))}>
        {t('grants.openRole')}
      </MenuItem>
      {user !== undefined && (
        <MenuItem icon={HelpIcon} onSelect={() => navigate(`/explain?user=${encodeURIComponent(user.name)}`)}>
          {t('explain.open')}
        </MenuItem>
      )}
      <MenuItem icon={YamlIcon} onSelect={() => navigate(objectHref(target, 'yaml'))}>
        {t('grants.yaml')}
      </MenuItem>
      {mayRemove === true && (
        <MenuItem icon={DeleteIcon} tone="error" onSelect={onRemove}>
          {t('grants.remove.action')}
        </MenuItem>
      )}
    </Menu>
  )
}
