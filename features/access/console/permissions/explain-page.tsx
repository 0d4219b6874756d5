import {
  Button,
  CopyButton,
  Empty,
  ErrorNotice,
  Field,
  Loading,
  Notice,
  PageHeader,
  Section,
  Select,
  SmallTable,
  StatusText,
  TableLink,
  TextInput,
  toApiError,
  useConsole,
  useLiveObjects,
  useMay,
  useQueryState,
  useServices,
  type ApiError,
} from '@gantry/console-kit'
import { HelpIcon } from '@gantry/console-kit/icons'
import { membershipKind, projectNamespaceKind, scopeOf, type ProjectNamespace } from '@gantry/tenancy/api'
import { useEffect, useMemo, useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearch } from 'wouter'
import { accessRoleBindingKind, accessRoleKind, userKind, type AccessRole, type Explanation, type User, type WhoCan } from '../../api/index.ts'
import { hubHref, hubQuery } from '../kind-type.ts'
import { askedFields, askedOf, everybody, explainRequest, type Asked } from './explain-query.ts'
import { RuleSentence, SuggestInput } from './parts.tsx'

const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection', 'impersonate', 'bind', 'escalate', 'approve']
const resources = [
  'pods',
  'pods/log',
  'pods/exec',
  'pods/portforward',
  'services',
  'configmaps',
  'secrets',
  'namespaces',
  'nodes',
  'deployments.apps',
  'deployments.apps/scale',
  'statefulsets.apps',
  'jobs.batch',
  'accessroles.access.gantry.dev',
  'accessrolebindings.access.gantry.dev',
  'elevationrequests.access.gantry.dev',
  'projects.tenancy.gantry.dev',
]
const usersQuery = hubQuery(userKind)
const rolesQuery = hubQuery(accessRoleKind)
const placesQuery = hubQuery(projectNamespaceKind)
const readBindings = [{ verb: 'list', type: accessRoleBindingKind }]
const mostPlaces = 500

/** Whether somebody may do something, and by which rule. The question is the address: it can be sent to somebody else, who sees what they may see. */
export function ExplainPage() {
  const { t } = useTranslation('access')
  const { user } = useConsole()
  const search = useSearch()
  const query = useQueryState()
  const asked = useMemo(() => askedOf((field) => new URLSearchParams(search).get(field) ?? ''), [search])
  const key = askedFields.map((field) => asked[field]).join('\n')
  return (
    <div className="flex h-full flex-col overflow-auto">
      <PageHeader title={t('explain.page')}>
        <CopyButton text={location.href} label={t('explain.copyLink')} />
      </PageHeader>
      <div className="flex flex-col gap-4 px-4 pb-6 md:px-5">
        <p className="max-w-3xl text-sm text-muted">{t('explain.help')}</p>
        <Question key={`question ${key}`} initial={asked} own={user.username} onAsk={(next) => query.set({ ...next })} />
        {explainRequest(asked) === undefined ? (
          <Empty icon={HelpIcon} title={t('explain.nothingAsked')} />
        ) : asked.user === everybody ? (
          <WhoAnswer key={key} asked={asked} />
        ) : (
          <Answer key={key} asked={asked} />
        )}
      </div>
    </div>
  )
}

function Question({ initial, own, onAsk }: { readonly initial: Asked; readonly own: string; readonly onAsk: (asked: Asked) => void }) {
  const { t } = useTranslation('access')
  const { fleet } = useConsole()
  const [mayAskAboutOthers] = useMay(readBindings)
  const { objects: users } = useLiveObjects<User>(mayAskAboutOthers === true ? usersQuery : undefined)
  const { objects: places } = useLiveObjects<ProjectNamespace>(placesQuery)
  const [asked, setAsked] = useState<Asked>({
    ...initial,
    user: initial.user === '' ? own : initial.user,
    verb: initial.verb === '' ? 'get' : initial.verb,
    cluster: initial.cluster === '' && !initial.resource.startsWith('/') ? (fleet.members[0]?.name ?? '') : initial.cluster,
  })
  const isWho = asked.user === everybody
  const change = (changes: Partial<Asked>): void => setAsked({ ...asked, ...changes })
  const isPath = asked.resource.trim().startsWith('/')

  function submit(event: FormEvent): void {
    event.preventDefault()
    onAsk(isPath ? { ...asked, cluster: '', namespace: '', name: '' } : asked)
  }

  return (
    <form
      onSubmit={submit}
      aria-label={t('explain.page')}
      className="grid grid-cols-1 items-start gap-3 rounded-lg border border-line bg-panel p-4 sm:grid-cols-2 lg:grid-cols-4"
    >
      <Field label={t('explain.asks')} hint={mayAskAboutOthers === false && asked.user === own ? t('explain.onlyYou') : undefined}>
        <Select
          name="asks"
          disabled={mayAskAboutOthers !== true && asked.user === own}
          value={isWho ? 'who' : 'user'}
          onChange={(event) => change({ user: event.target.value === 'who' ? everybody : own })}
        >
          <option value="user">{t('explain.mayUser')}</option>
          <option value="who">{t('explain.whoMay')}</option>
        </Select>
      </Field>
      {!isWho && (
        <Field label={t('explain.user')}>
          <SuggestInput
            required
            name="user"
            disabled={mayAskAboutOthers !== true && asked.user === own}
            options={users.map(({ metadata }) => metadata.name ?? '')}
            value={asked.user}
            onChange={(event) => change({ user: event.target.value })}
          />
        </Field>
      )}
      <Field label={t('explain.verb')}>
        <SuggestInput required name="verb" options={verbs} value={asked.verb} onChange={(event) => change({ verb: event.target.value })} />
      </Field>
      <Field label={t('explain.resource')} hint={t('explain.resourceHint')}>
        <SuggestInput
          required
          name="resource"
          placeholder="deployments.apps"
          options={resources}
          value={asked.resource}
          onChange={(event) => change({ resource: event.target.value })}
        />
      </Field>
      <Field label={t('explain.name')}>
        <TextInput
          name="name"
          disabled={isPath}
          autoComplete="off"
          spellCheck={false}
          value={asked.name}
          onChange={(event) => change({ name: event.target.value })}
        />
      </Field>
      <Field label={t('explain.cluster')}>
        <Select name="cluster" disabled={isPath} value={asked.cluster} onChange={(event) => change({ cluster: event.target.value })}>
          {[...new Set([...fleet.members.map(({ name }) => name), asked.cluster].filter((name) => name !== '' && name !== '*'))].map((name) => (
            <option key={name} value={name}>
              {fleet.members.find((member) => member.name === name)?.displayName ?? name}
            </option>
          ))}
          <option value="*">{t('explain.allClusters')}</option>
        </Select>
      </Field>
      <Field label={t('explain.namespace')} hint={t('explain.namespaceHint')}>
        <TextInput
          name="namespace"
          disabled={isPath}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={asked.namespace}
          onChange={(event) => change({ namespace: event.target.value })}
        />
      </Field>
      {places.length > 0 && (
        <Field label={t('explain.project')} hint={t('explain.projectHint')}>
          <Select
            name="project"
            disabled={isPath}
            value=""
            onChange={(event) => {
              const [cluster = '', namespace = ''] = event.target.value.split('/', 2)
              if (namespace !== '') change({ cluster, namespace })
            }}
          >
            <option value="">–</option>
            {places.slice(0, mostPlaces).map(({ metadata, spec }) => {
              const scope = scopeOf(metadata.namespace ?? '')
              return (
                <option key={`${metadata.namespace}/${metadata.name}`} value={`${spec.cluster}/${spec.namespace}`}>
                  {[scope?.tenant, scope?.project].filter(Boolean).join(' / ')}: {spec.cluster} / {spec.namespace}
                </option>
              )
            })}
          </Select>
        </Field>
      )}
      <Button look="primary" type="submit" className="sm:mt-6">
        {t('explain.ask')}
      </Button>
    </form>
  )
}

/** What a route says to the question; it does not follow changes by itself. */
function useExplained<T>(path: string, asked: Asked): { readonly answer?: T; readonly error?: ApiError } {
  const { api } = useServices()
  const [state, setState] = useState<{ readonly answer?: T; readonly error?: ApiError }>({})
  useEffect(() => {
    const stop = new AbortController()
    api.json<T>(path, { method: 'POST', body: explainRequest(asked), signal: stop.signal }).then(
      (answer) => setState({ answer }),
      (error: unknown) => {
        if (!stop.signal.aborted) setState({ error: toApiError(error) })
      },
    )
    return () => stop.abort()
  }, [api, path, asked])
  return state
}

/** Everybody who may do it, each with a way to see why. */
function WhoAnswer({ asked }: { readonly asked: Asked }) {
  const { t } = useTranslation('access')
  const { answer, error } = useExplained<WhoCan>('/platform/v1/access/who-can', asked)
  if (error !== undefined) return <ErrorNotice error={error} title={t('explain.failed')} />
  if (answer === undefined) return <Loading label={t('explain.asking')} />
  const whyHref = (user: string): string => `/explain?${new URLSearchParams({ ...asked, user }).toString()}`
  return (
    <Section title={t('explain.who')} note={<span className="text-xs text-muted tabular-nums">{answer.total}</span>}>
      <SmallTable
        label={t('explain.who')}
        rows={answer.users}
        keyOf={({ user }) => user}
        none={t('explain.nobody')}
        columns={[
          { title: t('explain.user'), cell: ({ user }) => <TableLink href={hubHref(userKind, user)}>{user}</TableLink> },
          {
            title: t('explain.why'),
            cell: ({ partly }) => <StatusText status={{ tone: 'ok', text: t(partly ? 'explain.allows.partly' : 'explain.allows.wholly') }} />,
          },
          { title: t('explain.by'), isWide: true, cell: ({ reason }) => reason },
          { title: t('actions'), isSilent: true, cell: ({ user }) => <TableLink href={whyHref(user)}>{t('explain.rules')}</TableLink> },
        ]}
      />
      {answer.users.length < answer.total && <p className="px-4 py-2 text-sm text-muted">{t('grants.more', { count: answer.total - answer.users.length })}</p>}
    </Section>
  )
}

/** Whether the user may do it, and every rule that bears on it. */
function Answer({ asked }: { readonly asked: Asked }) {
  const { t } = useTranslation('access')
  const { objects: roles } = useLiveObjects<AccessRole>(rolesQuery)
  const { answer, error } = useExplained<Explanation>('/platform/v1/access/explain', asked)
  if (error !== undefined) return <ErrorNotice error={error} title={t('explain.failed')} />
  if (answer === undefined) return <Loading label={t('explain.asking')} />
  const ruleOf = ({ role, rule }: Explanation['rules'][number]) => roles.find(({ metadata }) => metadata.name === role)?.spec.rules[rule]
  return (
    <>
      <Notice tone={answer.allowed ? 'ok' : 'error'} title={t(answer.allowed ? (answer.partly ? 'explain.partly' : 'explain.yes') : 'explain.no')}>
        {answer.reason}
      </Notice>
      <p className="text-sm">
        <span className="text-muted">{t('explain.groups')}</span> {answer.groups.join(', ')}
      </p>
      <Section title={t('explain.rules')} note={<span className="text-xs text-muted tabular-nums">{answer.rules.length}</span>}>
        <SmallTable
          label={t('explain.rules')}
          rows={answer.rules}
          keyOf={({ binding, role, rule }) => `${binding} ${role} ${rule}`}
          none={t('explain.noRules')}
          columns={[
            {
              title: t('explain.why'),
              cell: ({ matches, effect, because }) =>
                matches === 'no' ? (
                  <span className="text-muted">{because ?? ''}</span>
                ) : (
                  <StatusText status={{ tone: effect === 'Deny' ? 'error' : 'ok', text: t(`explain.${effect === 'Deny' ? 'denies' : 'allows'}.${matches}`) }} />
                ),
            },
            {
              title: t('explain.role'),
              cell: (step) => {
                const rule = ruleOf(step)
                return (
                  <>
                    <TableLink href={hubHref(accessRoleKind, step.role)}>{t('explain.ruleOf', { role: step.role, rule: step.rule })}</TableLink>
                    {rule !== undefined && (
                      <span className="mt-1 block">
                        <RuleSentence rule={rule} />
                      </span>
                    )}
                  </>
                )
              },
            },
            {
              title: t('explain.binding'),
              isWide: true,
              cell: ({ binding, scope }) => {
                const [namespace = '', name] = binding.split('/', 2)
                const href = name === undefined ? hubHref(accessRoleBindingKind, binding) : hubHref(membershipKind, name, namespace)
                return (
                  <>
                    <span className="whitespace-nowrap">
                      <TableLink href={href}>{binding}</TableLink>
                    </span>
                    {scope !== undefined && <span className="block text-xs text-muted">{scope}</span>}
                  </>
                )
              },
            },
          ]}
        />
      </Section>
    </>
  )
}
