import { Fact, Facts, Loading, Section, TableLink, type DetailProps } from '@gantry/console-kit'
import { localClusterName } from '@gantry/clusters/api'
import { baseRow } from '@gantry/console-kit/model'
import { membershipKind, type Membership } from '@gantry/tenancy/api'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import { accessRoleKind, type AccessRole, type AccessRoleBinding, type User } from '../../api/index.ts'
import { hubHref } from '../kind-type.ts'
import { fitsGrant, grantOfBinding, grantOfMembership } from './grant.ts'
import { GrantTable } from './grant-table.tsx'
import { ListFailure, RiskMarks, RuleList, Subjects, Until, useScopeWords } from './parts.tsx'
import { useGrants } from './use-grants.ts'
import { useSubjectsAs } from './use-subjects.ts'

/** What a role allows and denies, and who has it. */
export function RoleSections({ object }: DetailProps) {
  const { t } = useTranslation('access')
  const { metadata, spec } = object as unknown as AccessRole
  const { grants, phase, errors } = useGrants()
  const own = grants.filter(({ role }) => role === metadata.name)
  return (
    <>
      {(spec.description !== undefined || spec.displayName !== undefined) && (
        <p className="max-w-3xl text-sm">
          {spec.displayName !== undefined && <span className="font-medium">{spec.displayName}. </span>}
          {spec.description}
        </p>
      )}
      <Section title={t('roles.rules')} note={<RiskMarks rules={spec.rules} />}>
        <RuleList rules={spec.rules} />
      </Section>
      <Section
        title={t('roles.holders')}
        note={
          <>
            <span className="text-xs text-muted tabular-nums">{own.length}</span>
            <span className="ml-auto text-sm">
              <TableLink href={`/bindings?role=${encodeURIComponent(metadata.name ?? '')}`}>{t('grants.title')}</TableLink>
            </span>
          </>
        }
      >
        {errors.map((error) => (
          <ListFailure key={error.message} error={error} what={t('grants.title')} />
        ))}
        {phase === 'loading' ? <Loading label={t('grants.loading')} /> : <GrantTable grants={own} of="role" none={t('roles.noHolders')} />}
      </Section>
    </>
  )
}

/** One binding or membership. */
export function GrantSection({ target, object }: DetailProps) {
  const { t } = useTranslation('access')
  const wordsOf = useScopeWords()
  const base = baseRow(localClusterName, object)
  const grant =
    target.type.plural === membershipKind.plural
      ? grantOfMembership(object as unknown as Membership, base)
      : grantOfBinding(object as unknown as AccessRoleBinding, base)
  if (grant === undefined) return undefined
  return (
    <Section title={t('grants.one')}>
      <Facts>
        <Fact name={t('grants.role')}>
          <TableLink href={hubHref(accessRoleKind, grant.role)}>{grant.role}</TableLink>
        </Fact>
        <Fact name={t('grants.where')}>{wordsOf(grant.scope)}</Fact>
        <Fact name={t('grants.until')}>
          <Until untilMs={grant.untilMs} />
        </Fact>
        <Fact name={t('grants.subjects')} isWide>
          <Subjects subjects={grant.subjects} most={500} />
        </Fact>
        {grant.reason !== undefined && (
          <Fact name={t('grants.reason')} isWide>
            {grant.reason}
          </Fact>
        )}
        {grant.elevation !== undefined && (
          <Fact name={t('grants.elevation')}>
            <Link href="/elevations" className="text-accent-ink hover:underline">
              {grant.elevation}
            </Link>
          </Fact>
        )}
      </Facts>
    </Section>
  )
}

/** What a user has, itself and by its groups. */
export function UserGrantsSection({ object }: DetailProps) {
  const { t } = useTranslation('access')
  const { metadata } = object as unknown as User
  const { grants, phase, errors } = useGrants()
  const subjects = useSubjectsAs({ kind: 'User', name: metadata.name ?? '' })
  const own = grants.filter((grant) => fitsGrant(grant, { subjects, role: '', scope: '' }))
  return (
    <Section title={t('grants.ofUser')} note={<TableLink href={`/explain?user=${encodeURIComponent(metadata.name ?? '')}`}>{t('explain.open')}</TableLink>}>
      {errors.map((error) => (
        <ListFailure key={error.message} error={error} what={t('grants.title')} />
      ))}
      {phase === 'loading' ? <Loading label={t('grants.loading')} /> : <GrantTable grants={own} of="subject" none={t('grants.noneOfUser')} />}
    </Section>
  )
}
