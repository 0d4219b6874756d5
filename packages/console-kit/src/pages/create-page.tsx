import { useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import { toApiError, type ApiError } from '../api/api-error.ts'
import { findKind } from '../api/discovery.ts'
import { splitApiVersion, type KubeObject } from '../api/kube-object.ts'
import { useConsole } from '../console-context.tsx'
import { LazyYamlEditor } from '../editor/lazy-yaml-editor.tsx'
import { PageHeader } from '../frame/page-header.tsx'
import { useScope } from '../frame/scope.ts'
import { useNamespaces } from '../frame/scope-pickers.tsx'
import { discoveryQuery } from '../live/use-served.ts'
import { objectHref } from '../model/console-path.ts'
import { parseDocuments, type YamlDocument } from '../model/yaml-documents.ts'
import { useServices } from '../services.tsx'
import { Button } from '../ui/button.tsx'
import { Field, Select } from '../ui/field.tsx'
import { CheckIcon, EyeIcon, PlusIcon } from '../ui/icons.ts'
import { ErrorNotice, Notice } from '../ui/notice.tsx'

export interface YamlTemplate {
  readonly id: string
  readonly title: string
  readonly yaml: string
}

type Mode = 'create' | 'apply'

interface Outcome {
  readonly label: string
  readonly href?: string | undefined
  readonly error?: ApiError | undefined
  readonly isDryRun: boolean
}

/** Creates (or applies) every document of a YAML text on one cluster. Each document has its own outcome. */
export function CreatePage({ templates }: { readonly templates: readonly YamlTemplate[] }) {
  const { t } = useTranslation('kit')
  const { fleet } = useConsole()
  const { api, client } = useServices()
  const queries = useQueryClient()
  const scope = useScope()
  const [cluster, setCluster] = useState(scope.clusters[0] ?? fleet.members[0]?.name ?? '')
  const [namespace, setNamespace] = useState(scope.namespaces[0] ?? 'default')
  const [mode, setMode] = useState<Mode>('create')
  const [text, setText] = useState(templates[0]?.yaml ?? '')
  const [isBusy, setBusy] = useState(false)
  const [outcomes, setOutcomes] = useState<readonly Outcome[]>([])
  const documents = useMemo(() => parseDocuments(text), [text])
  const namespaces = useNamespaces(cluster === '' ? [] : [cluster])
  const valid = documents.filter((document) => document.result.ok).length

  async function write(object: KubeObject, isDryRun: boolean): Promise<Outcome> {
    const name = object.metadata.name ?? object.metadata.generateName ?? ''
    const label = `${object.kind}/${name}`
    try {
      const { group, version } = splitApiVersion(object.apiVersion ?? '')
      const discovery = discoveryQuery(api, cluster)
      const find = async () => findKind(await queries.fetchQuery(discovery), group, version, object.kind ?? '')
      // A document may use a kind that the document before it has just defined.
      let type = await find()
      if (type === undefined) {
        await queries.invalidateQueries({ queryKey: discovery.queryKey })
        type = await find()
      }
      if (type === undefined) throw new Error(t('create.unknownKind', { kind: object.kind, apiVersion: object.apiVersion, cluster }))
      const inNamespace = type.namespaced ? (object.metadata.namespace ?? namespace) : undefined
      const target = { cluster, type, namespace: inNamespace }
      const whole = inNamespace === undefined ? object : { ...object, metadata: { ...object.metadata, namespace: inNamespace } }
      const written =
        mode === 'apply' ? await client.apply({ ...target, name }, whole, { dryRun: isDryRun }) : await client.create(target, whole, { dryRun: isDryRun })
      const writtenName = written.metadata.name ?? name
      return { label: `${object.kind}/${writtenName}`, href: isDryRun ? undefined : objectHref({ ...target, name: writtenName }), isDryRun }
    } catch (error) {
      return { label, error: toApiError(error), isDryRun }
    }
  }

  async function run(isDryRun: boolean): Promise<void> {
    setBusy(true)
    setOutcomes([])
    for (const document of documents) {
      // oxlint-disable-next-line no-await-in-loop -- documents build on those before them: a namespace, then what is in it
      const outcome = document.result.ok
        ? await write(document.result.object, isDryRun)
        : brokenOutcome(document, t('create.document', { index: document.index, line: document.line }), isDryRun)
      setOutcomes((current) => [...current, outcome])
    }
    setBusy(false)
  }

  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageHeader title={t('create.title')} note={<span className="text-sm text-muted">{t('create.count', { count: valid })}</span>}>
        <Button icon={EyeIcon} disabled={isBusy || valid === 0 || cluster === ''} onClick={() => void run(true)}>
          {t('create.dryRun')}
        </Button>
        <Button look="primary" icon={PlusIcon} isBusy={isBusy} disabled={valid === 0 || cluster === ''} onClick={() => void run(false)}>
          {mode === 'create' ? t('create.create') : t('create.apply')}
        </Button>
      </PageHeader>
      <div className="grid min-h-0 flex-1 grid-cols-1 gap-4 overflow-auto px-4 pb-4 md:px-5 lg:grid-cols-[minmax(0,1fr)_20rem] lg:overflow-hidden">
        <div className="min-h-80 overflow-hidden rounded-lg border border-line bg-panel">
          <LazyYamlEditor label={t('create.editor')} value={text} onChange={setText} onSave={() => void run(true)} />
        </div>
        <div className="flex flex-col gap-4 lg:overflow-auto">
          <Field label={t('column.cluster')}>
            <Select value={cluster} onChange={(event) => setCluster(event.target.value)}>
              {fleet.members.map((member) => (
                <option key={member.name} value={member.name}>
                  {member.displayName}
                </option>
              ))}
            </Select>
          </Field>
          <Field label={t('create.namespace')} hint={t('create.namespaceHint')}>
            <Select value={namespace} onChange={(event) => setNamespace(event.target.value)}>
              {[...new Set([...namespaces, namespace])].map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </Select>
          </Field>
          <Field label={t('create.mode')} hint={t(`create.modeHelp.${mode}`)}>
            <Select value={mode} onChange={(event) => setMode(event.target.value === 'apply' ? 'apply' : 'create')}>
              <option value="create">{t('create.modeCreate')}</option>
              <option value="apply">{t('create.modeApply')}</option>
            </Select>
          </Field>
          <div>
            <h2 className="mb-1 text-sm font-medium">{t('create.templates')}</h2>
            <div className="flex flex-wrap gap-1.5">
              {templates.map((template) => (
                <Button key={template.id} className="h-7 px-2" onClick={() => setText(template.yaml)}>
                  {t(template.title)}
                </Button>
              ))}
            </div>
          </div>
          <div aria-live="polite" className="flex flex-col gap-2">
            {outcomes.map((outcome, index) => (
              // oxlint-disable-next-line react/no-array-index-key -- outcomes are only appended
              <OutcomeNotice key={index} outcome={outcome} />
            ))}
          </div>
        </div>
      </div>
    </div>
  )
}

function brokenOutcome(document: YamlDocument, label: string, isDryRun: boolean): Outcome {
  const message = document.result.ok ? '' : document.result.message
  return { label, error: toApiError(new Error(message)), isDryRun }
}

function OutcomeNotice({ outcome }: { readonly outcome: Outcome }) {
  const { t } = useTranslation('kit')
  if (outcome.error !== undefined) return <ErrorNotice error={outcome.error} title={t('create.failed', { what: outcome.label })} />
  return (
    <Notice tone="ok" title={t(outcome.isDryRun ? 'create.wouldSucceed' : 'create.done', { what: outcome.label })}>
      {outcome.href !== undefined && (
        <Link href={outcome.href} className="inline-flex items-center gap-1 text-accent-ink hover:underline">
          <CheckIcon aria-hidden className="size-3.5" />
          {t('create.open')}
        </Link>
      )}
    </Notice>
  )
}
