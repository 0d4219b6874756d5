import { Button, ErrorNotice, IconButton, Loading, Menu, MenuItem, Section, SmallTable, TableLink, useMay, useNow } from '@gantry/console-kit'
import { DeleteIcon, EditIcon, MoreIcon, PlusIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { AddMemberDialog, ChangeRoleDialog, RemoveMemberDialog } from './member-dialogs.tsx'
import { membershipType } from './kinds.ts'
import { memberRows, type MemberRow } from './members.ts'
import { hrefOf, placeOf, textOf, type Scope } from './scope.ts'
import { useMembers } from './use-members.ts'

/** Who works in a tenant or project: by memberships of its own, and by those of what it stands in. */
export function MembersSection({ scope, above }: { readonly scope: Scope; readonly above: readonly Scope[] }) {
  const { t } = useTranslation('tenancy')
  const place = placeOf(scope)
  const found = useMembers([scope, ...above].map(placeOf))
  const own = found.get(place)
  const nowMs = useMinute()
  const [mayAdd = false, mayChange = false, mayRemove = false] = useMay(
    ['create', 'patch', 'delete'].map((verb) => ({ verb, type: membershipType, namespace: place })),
  )
  const [open, setOpen] = useState<'add' | { readonly change: MemberRow } | { readonly remove: MemberRow }>()
  const close = (): void => setOpen(undefined)
  const rows = memberRows(own?.memberships ?? [], nowMs)
  const inherited = above.flatMap((one) => memberRows(found.get(placeOf(one))?.memberships ?? [], nowMs).map((row) => ({ ...row, from: one })))
  return (
    <Section
      title={t('members.title')}
      note={
        mayAdd && (
          <Button icon={PlusIcon} className="ml-auto" onClick={() => setOpen('add')}>
            {t('members.add')}
          </Button>
        )
      }
    >
      {own?.error !== undefined && <ErrorNotice error={own.error} title={t('members.failed')} />}
      {(own === undefined || own.phase === 'loading') && <Loading label={t('members.loading')} />}
      {own?.phase === 'ready' && (
        <SmallTable
          label={t('members.title')}
          rows={rows}
          keyOf={({ key }) => key}
          none={t('members.none')}
          columns={[
            { title: t('members.who'), cell: (row) => <Who row={row} /> },
            { title: t('members.role'), cell: ({ role }) => role },
            { title: t('members.until'), cell: (row) => <Until row={row} />, isWide: true },
            { title: t('members.reason'), cell: ({ membership }) => membership.spec.reason ?? '', isWide: true },
            {
              title: t('column.actions'),
              isSilent: true,
              cell: (row) =>
                (mayChange || mayRemove) && (
                  <Menu trigger={<IconButton icon={MoreIcon} label={t('actionsOf', { name: row.subject.name })} className="-my-1.5" />}>
                    {mayChange && mayAdd && (
                      <MenuItem icon={EditIcon} onSelect={() => setOpen({ change: row })}>
                        {t('members.change')}
                      </MenuItem>
                    )}
                    {mayRemove && mayChange && (
                      <MenuItem icon={DeleteIcon} tone="error" onSelect={() => setOpen({ remove: row })}>
                        {t('members.remove')}
                      </MenuItem>
                    )}
                  </Menu>
                ),
            },
          ]}
        />
      )}
      {inherited.length > 0 && (
        <div className="border-t border-line">
          <h3 className="px-4 pt-3 text-xs font-semibold text-muted">{t('members.inherited')}</h3>
          <SmallTable
            label={t('members.inherited')}
            rows={inherited}
            keyOf={({ key }) => key}
            none=""
            columns={[
              { title: t('members.who'), cell: (row) => <Who row={row} /> },
              { title: t('members.role'), cell: ({ role }) => role },
              { title: t('members.from'), cell: ({ from }) => <TableLink href={hrefOf(from)}>{textOf(from)}</TableLink> },
            ]}
          />
        </div>
      )}
      {open === 'add' && <AddMemberDialog scope={scope} onClose={close} />}
      {typeof open === 'object' && 'change' in open && <ChangeRoleDialog scope={scope} row={open.change} onClose={close} />}
      {typeof open === 'object' && 'remove' in open && <RemoveMemberDialog scope={scope} row={open.remove} onClose={close} />}
    </Section>
  )
}

const minuteMs = 60_000

/** The time, to the minute: what expires is drawn again no more often. */
function useMinute(): number {
  return Math.floor(useNow() / minuteMs) * minuteMs
}

function Who({ row: { subject } }: { readonly row: MemberRow }) {
  const { t } = useTranslation('tenancy')
  return (
    <span className="break-words">
      {subject.name}
      {subject.kind === 'Group' && <span className="text-muted"> · {t('members.group')}</span>}
    </span>
  )
}

function Until({ row: { expirationTime, isExpired } }: { readonly row: MemberRow }) {
  const { t } = useTranslation('tenancy')
  if (expirationTime === undefined) return t('members.forGood')
  const until = new Date(expirationTime).toLocaleString()
  return isExpired ? <span className="text-warn">{t('members.expired', { until })}</span> : until
}
