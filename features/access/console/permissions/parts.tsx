import { classNames, ErrorNotice, Field, humanDuration, Notice, TextInput, useNow, type ApiError } from '@gantry/console-kit'
import { useId, type InputHTMLAttributes, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import type { AccessRule } from '../../api/index.ts'
import { subjectKey, type GrantScope, type GrantSubject } from './grant.ts'
import { resourcesOf, risksOf, verbsOf, type Risk } from './rule.ts'

/** Why a list is not there, or not whole: what may not be seen is no failure. */
export function ListFailure({ error, what }: { readonly error: ApiError; readonly what: string }) {
  const { t } = useTranslation('access')
  if (error.code !== 403) return <ErrorNotice error={error} title={t('permissions.failed', { what })} />
  return (
    <Notice tone="neutral" title={t('permissions.mayNotSee', { what })}>
      {error.message}
    </Notice>
  )
}

export const chipLook = 'inline-block max-w-full truncate rounded bg-neutral-soft px-1.5 py-0.5 font-mono text-xs'

export function Words({ words }: { readonly words: readonly string[] }) {
  return (
    <span className="inline-flex flex-wrap gap-1">
      {words.map((word) => (
        <code key={word} className={chipLook} title={word}>
          {word}
        </code>
      ))}
    </span>
  )
}

const riskLook: Readonly<Record<Risk, string>> = {
  everything: 'bg-error-soft text-error',
  grants: 'bg-error-soft text-error',
  impersonation: 'bg-error-soft text-error',
  secrets: 'bg-warn-soft text-warn',
  commands: 'bg-warn-soft text-warn',
}

/** What a reviewer has to know of a role at a glance. */
export function RiskMarks({ rules }: { readonly rules: readonly AccessRule[] }) {
  const { t } = useTranslation('access')
  return (
    <span className="inline-flex flex-wrap gap-1">
      {shownRisks(rules).map((risk) => (
        <span key={risk} title={t(`risk.${risk}Help`)} className={classNames('rounded-full px-2 py-0.5 text-xs font-medium whitespace-nowrap', riskLook[risk])}>
          {t(`risk.${risk}`)}
        </span>
      ))}
    </span>
  )
}

/** Everything says the others too. */
function shownRisks(rules: readonly AccessRule[]): readonly Risk[] {
  const all = risksOf(rules)
  return all.includes('everything') ? ['everything'] : all
}

/** A rule as a sentence: who has it may …, on …, but not …, in …. */
export function RuleSentence({ rule }: { readonly rule: AccessRule }) {
  const { t } = useTranslation('access')
  const verbs = verbsOf(rule)
  const isDeny = rule.effect === 'Deny'
  const resources = resourcesOf(rule)
  const clause = (word: string, words: readonly string[] | undefined): ReactNode =>
    words !== undefined && (
      <>
        <span className="text-muted">{word}</span>
        <Words words={words} />
      </>
    )
  return (
    <span className="flex flex-wrap items-center gap-1.5 text-sm">
      <span className={classNames('font-semibold', isDeny ? 'text-error' : 'text-ok')}>{t(isDeny ? 'rule.denies' : 'rule.allows')}</span>
      {verbs.kind === 'some' ? (
        <Words words={verbs.verbs} />
      ) : (
        <span className="font-medium">{t(verbs.kind === 'all' ? 'rule.everyVerb' : 'rule.reading')}</span>
      )}
      {rule.nonResourceURLs === undefined ? (
        <>
          {verbs.kind !== 'read' && <span className="text-muted">{t('rule.on')}</span>}
          {resources === undefined ? <span className="font-medium">{t('rule.everyResource')}</span> : <Words words={resources} />}
        </>
      ) : (
        clause(t('rule.onPaths'), rule.nonResourceURLs)
      )}
      {clause(t('rule.except'), rule.exceptResources)}
      {clause(t('rule.named'), rule.resourceNames)}
      {clause(t('rule.inClusters'), rule.clusters)}
      {clause(t('rule.inNamespaces'), rule.namespaces)}
    </span>
  )
}

export function RuleList({ rules }: { readonly rules: readonly AccessRule[] }) {
  const { t } = useTranslation('access')
  if (rules.length === 0) return <p className="px-4 py-3 text-sm text-muted">{t('rule.none')}</p>
  return (
    <ol aria-label={t('roles.rules')}>
      {rules.map((rule, index) => (
        // oxlint-disable-next-line react/no-array-index-key -- a rule is known by its place in the role
        <li key={index} id={`rule-${index}`} className="flex gap-3 border-b border-line/60 px-4 py-2.5 last:border-0">
          <span className="w-5 shrink-0 pt-0.5 text-right text-xs text-muted tabular-nums">{index}</span>
          <RuleSentence rule={rule} />
        </li>
      ))}
    </ol>
  )
}

/** Where a role holds, in words. */
export function useScopeWords(): (scope: GrantScope) => string {
  const { t } = useTranslation('access')
  return (scope) => {
    switch (scope.kind) {
      case 'platform':
        return t('grants.scope.platform')
      case 'cluster':
        return t('grants.in.cluster', { cluster: scope.cluster })
      case 'namespaces':
        return t('grants.in.namespaces', { cluster: scope.cluster, namespaces: scope.namespaces.join(', ') })
      case 'tenant':
        return t('grants.in.tenant', { tenant: scope.tenant })
      case 'project':
        return t('grants.in.project', { tenant: scope.tenant, project: scope.project })
      default:
        return scope satisfies never
    }
  }
}

export const bindingsHref = (subject: GrantSubject): string => `/bindings?subject=${encodeURIComponent(subjectKey(subject))}`

/** Users and groups, each a link to all that it has. */
export function Subjects({ subjects, most = 20 }: { readonly subjects: readonly GrantSubject[]; readonly most?: number }) {
  const { t } = useTranslation('access')
  return (
    <span className="inline-flex max-w-full flex-wrap gap-x-2 gap-y-0.5">
      {subjects.slice(0, most).map((subject) => (
        <Link key={subjectKey(subject)} href={bindingsHref(subject)} className="text-accent-ink hover:underline">
          {subject.kind === 'Group' ? t('grants.group', { name: subject.name }) : subject.name}
        </Link>
      ))}
      {subjects.length > most && <span className="text-muted">{t('grants.more', { count: subjects.length - most })}</span>}
    </span>
  )
}

/** Until when, and how long that is, ticking. */
export function Until({ untilMs }: { readonly untilMs: number | undefined }) {
  const { t } = useTranslation('access')
  const nowMs = useNow()
  if (untilMs === undefined) return t('grants.forGood')
  const iso = new Date(untilMs).toISOString()
  return (
    <time dateTime={iso} title={new Date(untilMs).toLocaleString()} className={classNames('tabular-nums', untilMs <= nowMs && 'text-muted')}>
      {untilMs <= nowMs ? t('grants.over') : t('grants.left', { time: humanDuration(untilMs - nowMs) })}
    </time>
  )
}

const mostSuggestions = 500

/** Text with what is likely offered for it; anything may be typed. */
export function SuggestInput({ options, ...rest }: InputHTMLAttributes<HTMLInputElement> & { readonly options: readonly string[] }) {
  const id = useId()
  return (
    <div>
      <TextInput autoComplete="off" autoCapitalize="none" spellCheck={false} {...rest} list={id} />
      <datalist id={id}>
        {options.slice(0, mostSuggestions).map((option) => (
          <option key={option}>{option}</option>
        ))}
      </datalist>
    </div>
  )
}

/** Where a role is to hold: namespaces, separated by commas or spaces. */
export function NamespacesInput({ value, onChange }: { readonly value: string; readonly onChange: (value: string) => void }) {
  const { t } = useTranslation('access')
  return (
    <Field label={t('grants.give.namespaces')} hint={t('grants.give.namespacesHint')}>
      <TextInput
        required
        name="namespaces"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </Field>
  )
}
