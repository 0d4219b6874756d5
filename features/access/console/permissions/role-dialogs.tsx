import {
  Button,
  classNames,
  Dialog,
  ErrorNotice,
  Field,
  IconButton,
  Loading,
  Notice,
  Select,
  TextInput,
  useLiveObject,
  useServices,
  useToast,
  useWork,
  type ActionProps,
  type ObjectRef,
} from '@gantry/console-kit'
import { DeleteIcon, PlusIcon } from '@gantry/console-kit/icons'
import { useId, useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'
import { accessRoleKind, type AccessRole } from '../../api/index.ts'
import { hubHref, hubRef, hubTarget } from '../kind-type.ts'
import { RiskMarks, RuleSentence } from './parts.tsx'
import { draftOf, emptyRule, missingIn, ruleOf, ruleTemplates, type RuleDraft } from './rule.ts'
import { useGrants } from './use-grants.ts'

const nowhere: ObjectRef = hubRef(accessRoleKind, '')

/** Changes a role, over the version that was read. */
export function EditRoleDialog({ targets: [target = nowhere], onClose }: ActionProps) {
  return <WithRole target={target} onClose={onClose} mode="edit" />
}

/** Makes a role that begins as another one is. */
export function CopyRoleDialog({ targets: [target = nowhere], onClose }: ActionProps) {
  return <WithRole target={target} onClose={onClose} mode="copy" />
}

export function CreateRoleDialog({ onClose }: { readonly onClose: (done: boolean) => void }) {
  return <RoleDialog base={undefined} mode="create" onClose={onClose} />
}

type Mode = 'create' | 'edit' | 'copy'

function WithRole({ target, mode, onClose }: { readonly target: ObjectRef; readonly mode: Mode; readonly onClose: (done: boolean) => void }) {
  const { t } = useTranslation('access')
  const { object, error } = useLiveObject<AccessRole>(target)
  // What is typed belongs to the version that it began with: the first one read stays.
  const [base, setBase] = useState<AccessRole>()
  if (base === undefined && object !== undefined) setBase(object)
  if (base !== undefined) return <RoleDialog base={base} mode={mode} onClose={onClose} />
  return (
    <Dialog title={t(mode === 'edit' ? 'roles.editOf' : 'roles.copyOf', { name: target.name })} onClose={() => onClose(false)}>
      {error === undefined ? <Loading label={t('roles.loading')} /> : <ErrorNotice error={error} title={t('roles.notSaved')} />}
    </Dialog>
  )
}

interface NumberedRule {
  /** Tells rules apart while they come and go. */
  readonly id: number
  readonly draft: RuleDraft
}

function RoleDialog({ base, mode, onClose }: { readonly base: AccessRole | undefined; readonly mode: Mode; readonly onClose: (done: boolean) => void }) {
  const { t } = useTranslation('access')
  const { client } = useServices()
  const toast = useToast()
  const [, navigate] = useLocation()
  const { grants } = useGrants()
  const { isBusy, error, run } = useWork()
  const [name, setName] = useState(mode === 'edit' ? (base?.metadata.name ?? '') : '')
  const [displayName, setDisplayName] = useState(mode === 'edit' ? (base?.spec.displayName ?? '') : '')
  const [description, setDescription] = useState(base?.spec.description ?? '')
  const [rules, setRules] = useState<readonly NumberedRule[]>(() => (base?.spec.rules ?? []).map((rule, id) => ({ id, draft: draftOf(rule) })))
  const [next, setNext] = useState(rules.length)
  const formId = useId()
  const isEdit = mode === 'edit'
  const holders = isEdit ? grants.filter(({ role }) => role === name).length : 0
  const incomplete = rules.some(({ draft }) => missingIn(draft) !== undefined)
  const wanted = rules.map(({ draft }) => ruleOf(draft))

  function add(draft: RuleDraft): void {
    setRules([...rules, { id: next, draft }])
    setNext(next + 1)
  }

  function save(event: FormEvent): void {
    event.preventDefault()
    void run(async () => {
      const spec: AccessRole['spec'] = {
        ...(displayName.trim() === '' ? {} : { displayName: displayName.trim() }),
        ...(description.trim() === '' ? {} : { description: description.trim() }),
        rules: wanted,
      }
      const { apiVersion, kind } = accessRoleKind
      const written =
        isEdit && base !== undefined
          ? await client.replace<AccessRole>(hubRef(accessRoleKind, name), { ...base, apiVersion, kind, spec })
          : await client.create<AccessRole>(hubTarget(accessRoleKind), { apiVersion, kind, metadata: { name: name.trim() }, spec })
      const stored = written.metadata.name ?? name
      toast('ok', t(isEdit ? 'roles.saved' : 'roles.made', { name: stored }))
      onClose(true)
      if (!isEdit) navigate(hubHref(accessRoleKind, stored))
    })
  }

  return (
    <Dialog
      size="large"
      title={isEdit ? t('roles.editOf', { name }) : mode === 'copy' ? t('roles.copyOf', { name: base?.metadata.name }) : t('roles.create')}
      description={isEdit && holders > 0 ? t('roles.editHelp', { count: holders }) : t('roles.createHelp')}
      onClose={() => onClose(false)}
      footer={
        <>
          {incomplete && <span className="mr-auto text-sm text-muted">{t('rule.incomplete')}</span>}
          <Button onClick={() => onClose(false)}>{t('cancel')}</Button>
          <Button look="primary" type="submit" form={formId} isBusy={isBusy} disabled={incomplete}>
            {t(isEdit ? 'roles.save' : 'roles.create')}
          </Button>
        </>
      }
    >
      <form id={formId} onSubmit={save} className="flex flex-col gap-4 pb-3">
        <div className="grid grid-cols-1 gap-3 md:grid-cols-2">
          <Field label={t('roles.name')}>
            <TextInput
              required
              name="role-name"
              disabled={isEdit}
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
          <Field label={t('roles.displayName')}>
            <TextInput name="role-display-name" maxLength={100} value={displayName} onChange={(event) => setDisplayName(event.target.value)} />
          </Field>
        </div>
        <Field label={t('roles.description')}>
          <TextInput name="role-description" maxLength={1000} value={description} onChange={(event) => setDescription(event.target.value)} />
        </Field>
        <div className="flex flex-wrap items-center gap-2">
          <h3 className="text-sm font-semibold">{t('roles.rules')}</h3>
          <RiskMarks rules={wanted} />
        </div>
        {rules.map(({ id, draft }, index) => (
          <RuleFields
            key={id}
            index={index}
            draft={draft}
            onChange={(changed) => setRules(rules.map((rule) => (rule.id === id ? { id, draft: changed } : rule)))}
            onRemove={() => setRules(rules.filter((rule) => rule.id !== id))}
          />
        ))}
        {rules.length === 0 && <p className="text-sm text-muted">{t('rule.none')}</p>}
        <div role="group" aria-label={t('rule.add')} className="flex flex-wrap items-center gap-1.5">
          <Button icon={PlusIcon} onClick={() => add(emptyRule)}>
            {t('rule.add')}
          </Button>
          {(Object.keys(ruleTemplates) as (keyof typeof ruleTemplates)[]).map((template) => (
            <Button key={template} look="quiet" icon={PlusIcon} onClick={() => add(ruleTemplates[template])}>
              {t(`rule.template.${template}`)}
            </Button>
          ))}
        </div>
        {error !== undefined && <ErrorNotice error={error} title={t(error.reason === 'Conflict' ? 'roles.conflict' : 'roles.notSaved')} />}
      </form>
    </Dialog>
  )
}

function RuleFields({
  index,
  draft,
  onChange,
  onRemove,
}: {
  readonly index: number
  readonly draft: RuleDraft
  readonly onChange: (draft: RuleDraft) => void
  readonly onRemove: () => void
}) {
  const { t } = useTranslation('access')
  const missing = missingIn(draft)
  const text = (field: Exclude<keyof RuleDraft, 'effect' | 'about'>, hasHint: boolean) => (
    <Field label={t(`rule.${field}`)} hint={hasHint ? t(`rule.${field}Hint`) : undefined}>
      <TextInput
        name={`rule-${index}-${field}`}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        value={draft[field]}
        onChange={(event) => onChange({ ...draft, [field]: event.target.value })}
      />
    </Field>
  )
  return (
    <fieldset className={classNames('min-w-0 rounded-lg border px-4 pt-2 pb-4', draft.effect === 'Deny' ? 'border-error-dot' : 'border-line')}>
      <legend className="px-1 text-xs font-semibold text-muted">{t('rule.number', { index })}</legend>
      <div className="mb-2 flex items-start gap-2">
        <div className="min-w-0 flex-1 pt-1.5">
          {missing === undefined ? (
            <RuleSentence rule={ruleOf(draft)} />
          ) : (
            <span className="text-sm text-muted">{t('rule.missing', { field: t(`rule.${missing}`) })}</span>
          )}
        </div>
        <IconButton icon={DeleteIcon} label={t('rule.remove', { index })} onClick={onRemove} />
      </div>
      <div className="grid grid-cols-1 gap-3 sm:grid-cols-2 lg:grid-cols-4">
        <Field label={t('rule.effect')}>
          <Select value={draft.effect} onChange={(event) => onChange({ ...draft, effect: event.target.value === 'Deny' ? 'Deny' : 'Allow' })}>
            <option value="Allow">{t('rule.allow')}</option>
            <option value="Deny">{t('rule.deny')}</option>
          </Select>
        </Field>
        <Field label={t('rule.about')}>
          <Select value={draft.about} onChange={(event) => onChange({ ...draft, about: event.target.value === 'paths' ? 'paths' : 'resources' })}>
            <option value="resources">{t('rule.aboutResources')}</option>
            <option value="paths">{t('rule.aboutPaths')}</option>
          </Select>
        </Field>
        <div className="sm:col-span-2">{text('verbs', true)}</div>
        {draft.about === 'paths' ? (
          <div className="sm:col-span-2">{text('paths', true)}</div>
        ) : (
          <>
            {text('apiGroups', true)}
            {text('resources', true)}
            {text('exceptResources', true)}
            {text('resourceNames', true)}
          </>
        )}
        {text('clusters', true)}
        {text('namespaces', true)}
      </div>
    </fieldset>
  )
}

/** Removes a role; its bindings stay and give nothing. */
export function RemoveRoleDialog({ targets: [target = nowhere], onClose }: ActionProps) {
  const { t } = useTranslation('access')
  const { client } = useServices()
  const toast = useToast()
  const { grants } = useGrants()
  const { isBusy, error, run } = useWork()
  const { name } = target
  const holders = grants.filter(({ role }) => role === name)
  const subjects = new Set(holders.flatMap((grant) => grant.subjects.map(({ kind, name: own }) => `${kind}/${own}`)))
  return (
    <Dialog
      title={t('roles.remove.title', { name })}
      description={t('roles.remove.help')}
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
                await client.delete(target)
                toast('ok', t('roles.remove.done', { name }))
                onClose(true)
              })
            }
          >
            {t('roles.remove.action')}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3">
        <Notice
          tone={holders.length > 0 ? 'warn' : 'neutral'}
          title={t(holders.length > 0 ? 'roles.remove.lost' : 'roles.remove.unused', { count: subjects.size })}
        >
          {holders.length > 0 ? t('roles.remove.bindings', { count: holders.length }) : undefined}
        </Notice>
        {error !== undefined && <ErrorNotice error={error} title={t('roles.remove.failed')} />}
      </div>
    </Dialog>
  )
}
