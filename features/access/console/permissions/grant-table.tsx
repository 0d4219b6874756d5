import { SmallTable, TableLink } from '@gantry/console-kit'
import { useTranslation } from 'react-i18next'
import { membershipKind } from '@gantry/tenancy/api'
import { accessRoleBindingKind, accessRoleKind } from '../../api/index.ts'
import { hubHref } from '../kind-type.ts'
import type { Grant } from './grant.ts'
import { Subjects, Until, useScopeWords } from './parts.tsx'

export const grantHref = ({ by, name, namespace }: Pick<Grant, 'by' | 'name' | 'namespace'>): string =>
  hubHref(by === 'binding' ? accessRoleBindingKind : membershipKind, name, namespace)

/** Grants on the page of what they concern: without the column that is the same in all of them. */
export function GrantTable({ grants, of, none }: { readonly grants: readonly Grant[]; readonly of: 'role' | 'subject'; readonly none: string }) {
  const { t } = useTranslation('access')
  const wordsOf = useScopeWords()
  return (
    <SmallTable
      label={t('grants.title')}
      rows={grants}
      keyOf={({ key }) => key}
      none={none}
      columns={[
        of === 'role'
          ? { title: t('grants.subjects'), cell: ({ subjects }) => <Subjects subjects={subjects} /> }
          : { title: t('grants.role'), cell: ({ role }) => <TableLink href={hubHref(accessRoleKind, role)}>{role}</TableLink> },
        ...(of === 'role' ? [] : [{ title: t('grants.through'), isWide: true, cell: ({ subjects }: Grant) => <Subjects subjects={subjects} most={5} /> }]),
        { title: t('grants.where'), cell: ({ scope }) => wordsOf(scope) },
        { title: t('grants.until'), cell: ({ untilMs }) => <Until untilMs={untilMs} /> },
        { title: t('grants.name'), isWide: true, cell: (grant) => <TableLink href={grantHref(grant)}>{grant.name}</TableLink> },
      ]}
    />
  )
}
