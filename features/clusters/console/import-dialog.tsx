import {
  Button,
  Checkbox,
  CopyButton,
  Dialog,
  ErrorNotice,
  Field,
  Select,
  TextArea,
  TextInput,
  toApiError,
  useForm,
  useServices,
  useToast,
  type ApiError,
} from '@gantry/console-kit'
import { UploadIcon } from '@gantry/console-kit/icons'
import { useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { AgentManifest } from '../api/index.ts'
import type { ClusterObject } from './cluster.ts'
import { hideSecrets } from './hide-secrets.ts'
import { importField } from './import-field.ts'
import { hubOf, importRequest, type ImportForm } from './import-request.ts'
import { readKubeconfig, suggestName, type KubeconfigReading } from './kubeconfig.ts'

const importPath = '/platform/v1/clusters/import'
const credentialsPath = '/platform/v1/clusters/credentials'
/** A kubeconfig of many clusters is some 100 KB; more is not one. */
const maxFileBytes = 1024 * 1024
/** The server tries the connection first: it may wait for a dead address. */
const importTimeoutMs = 60_000
const empty: ImportForm = {
  way: 'kubeconfig',
  name: '',
  kubeconfig: '',
  context: '',
  server: '',
  token: '',
  caData: '',
  isInsecure: false,
  proxyURL: '',
  hub: '',
  access: 'viewer',
}

/**
 * Brings a real cluster into the fleet, or with `replaces` gives a known one other credentials. Nothing is written into it; the server tries the connection and says exactly
 * what is wrong. For one that cannot be reached it makes the manifest of an agent.
 */
export function ImportDialog({ replaces, onClose }: { readonly replaces?: string; readonly onClose: () => void }) {
  const { t } = useTranslation('clusters')
  const { api } = useServices()
  const toast = useToast()
  const form = useForm<ImportForm>({ defaultValues: { ...empty, name: replaces ?? '', hub: hubOf(location.origin) } })
  const [made, setMade] = useState<AgentManifest>()
  const [error, setError] = useState<ApiError>()
  const [fileProblem, setFileProblem] = useState<string>()
  const file = useRef<HTMLInputElement>(null)
  const [way, name, kubeconfig, context] = form.watch(['way', 'name', 'kubeconfig', 'context'])
  const [server, token, hub, access] = form.watch(['server', 'token', 'hub', 'access'])
  const texts = replaces === undefined ? 'import' : 'credentials'
  const reading = useReading(kubeconfig)
  const contexts = reading?.ok === true ? reading.contexts : []
  const fieldError = (field: string): string | undefined => error?.causes.find((cause) => importField(cause) === field)?.message

  function takeKubeconfig(text: string): void {
    form.setValue('kubeconfig', text)
    setFileProblem(undefined)
    const read = readKubeconfig(text)
    if (!read.ok) return
    const current = read.contexts.find((candidate) => candidate.isCurrent) ?? read.contexts[0]
    pickContext(current?.name ?? '')
  }
  function pickContext(picked: string): void {
    form.setValue('context', picked)
    // A name that was typed is kept.
    if (replaces === undefined && form.formState.dirtyFields.name !== true) form.setValue('name', suggestName(picked))
  }
  async function takeFile(chosen: File | undefined): Promise<void> {
    if (chosen === undefined) return
    if (chosen.size > maxFileBytes) setFileProblem(t('import.fileTooLarge'))
    else takeKubeconfig(await chosen.text())
  }
  async function submit(values: ImportForm): Promise<void> {
    setError(undefined)
    try {
      const path = replaces === undefined ? importPath : credentialsPath
      const answer = await api.json<ClusterObject | { readonly agent: AgentManifest }>(path, {
        method: 'POST',
        body: importRequest(values),
        timeoutMs: importTimeoutMs,
      })
      if ('agent' in answer) return setMade(answer.agent)
      toast('ok', t(`${texts}.done`, { name: answer.metadata.name }))
      onClose()
    } catch (thrown) {
      setError(toApiError(thrown))
    }
  }

  const isReady = name !== '' && (way === 'kubeconfig' ? reading?.ok === true : way === 'agent' ? hub !== '' && access !== '' : server !== '' && token !== '')
  if (made !== undefined) return <ManifestDialog made={made} onClose={onClose} />
  return (
    <Dialog
      size="medium"
      title={t(`${texts}.title`, { name })}
      description={t(`${texts}.description`)}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button look="primary" type="submit" form="import-form" icon={UploadIcon} isBusy={form.formState.isSubmitting} disabled={!isReady}>
            {t(`${texts}.submit`)}
          </Button>
        </>
      }
    >
      <form id="import-form" onSubmit={(event) => void form.handleSubmit(submit)(event)} className="flex flex-col gap-4">
        {error !== undefined && (
          <div ref={bringIntoView}>
            <ErrorNotice error={error} title={t(`${texts}.failed`)} />
          </div>
        )}
        <fieldset className="flex gap-1 rounded-md bg-canvas p-1">
          <legend className="sr-only">{t('import.way')}</legend>
          {(replaces === undefined ? (['kubeconfig', 'token', 'agent'] as const) : (['kubeconfig', 'token'] as const)).map((option) => (
            <label
              key={option}
              className="relative flex h-8 flex-1 cursor-pointer items-center justify-center rounded text-sm font-medium text-muted has-checked:bg-panel has-checked:text-ink has-checked:shadow-sm has-focus-visible:outline-2 has-focus-visible:outline-accent"
            >
              <input type="radio" value={option} {...form.register('way')} className="sr-only" />
              {t(`import.ways.${option}`)}
            </label>
          ))}
        </fieldset>
        {way === 'kubeconfig' ? (
          <>
            <Field
              label={t('import.kubeconfig')}
              hint={t('import.kubeconfigHint')}
              error={fileProblem ?? fieldError('kubeconfig') ?? (reading?.ok === false ? t(`import.problem.${reading.problem}`) : undefined)}
            >
              <TextArea
                rows={8}
                placeholder="apiVersion: v1&#10;kind: Config&#10;clusters: …"
                {...form.register('kubeconfig', { onChange: (event: { readonly target: HTMLTextAreaElement }) => takeKubeconfig(event.target.value) })}
                onDragOver={(event) => event.preventDefault()}
                onDrop={(event) => {
                  event.preventDefault()
                  void takeFile(event.dataTransfer.files[0])
                }}
              />
            </Field>
            <div className="relative -mt-2 flex items-center gap-2">
              <input
                ref={file}
                type="file"
                aria-label={t('import.file')}
                tabIndex={-1}
                className="sr-only"
                onChange={(event) => void takeFile(event.target.files?.[0])}
              />
              <Button icon={UploadIcon} onClick={() => file.current?.click()}>
                {t('import.file')}
              </Button>
            </div>
            {contexts.length > 0 && (
              <Field label={t('import.context')} error={fieldError('context')}>
                <Select value={context} onChange={(event) => pickContext(event.target.value)}>
                  {contexts.map((candidate) => (
                    <option key={candidate.name} value={candidate.name}>
                      {candidate.server === undefined ? candidate.name : `${candidate.name} (${candidate.server})`}
                    </option>
                  ))}
                </Select>
              </Field>
            )}
          </>
        ) : way === 'agent' ? (
          <>
            <Field label={t('import.hub')} hint={t('import.hubHint')} error={fieldError('hub')}>
              <TextInput type="url" required placeholder="https://gantry.example.com:7443" {...form.register('hub')} />
            </Field>
            <Field label={t('import.access')} hint={t('import.accessHint')} error={fieldError('access')}>
              <Select {...form.register('access')}>
                <option value="viewer">{t('import.accesses.viewer')}</option>
                <option value="admin">{t('import.accesses.admin')}</option>
              </Select>
            </Field>
            <Field label={t('import.proxy')} hint={t('import.agentProxyHint')} error={fieldError('proxyURL')}>
              <TextInput autoComplete="off" placeholder="http://proxy:3128" {...form.register('proxyURL')} />
            </Field>
          </>
        ) : (
          <>
            <Field label={t('import.server')} error={fieldError('server')}>
              <TextInput type="url" required placeholder="https://10.0.0.1:6443" {...form.register('server')} />
            </Field>
            <Field label={t('import.token')} hint={t('import.tokenHint')} error={fieldError('token')}>
              <TextInput type="password" required autoComplete="off" {...form.register('token')} />
            </Field>
            <Field label={t('import.ca')} hint={t('import.caHint')} error={fieldError('caData')}>
              <TextArea rows={5} placeholder="-----BEGIN CERTIFICATE-----" {...form.register('caData')} />
            </Field>
            <Field label={t('import.proxy')} hint={t('import.proxyHint')} error={fieldError('proxyURL')}>
              <TextInput autoComplete="off" placeholder="socks5://proxy:1080" {...form.register('proxyURL')} />
            </Field>
            <Checkbox label={t('import.insecure')} {...form.register('isInsecure')} />
          </>
        )}
        {replaces === undefined && (
          <Field label={t('import.name')} hint={t('import.nameHint')} error={fieldError('name')}>
            <TextInput required pattern="[a-z0-9]([a-z0-9\-]*[a-z0-9])?" maxLength={63} autoComplete="off" spellCheck={false} {...form.register('name')} />
          </Field>
        )}
      </form>
    </Dialog>
  )
}

/** Parsed when the text changes, not with every key in another field. */
function useReading(kubeconfig: string): KubeconfigReading | undefined {
  return useMemo(() => (kubeconfig.trim() === '' ? undefined : readKubeconfig(kubeconfig)), [kubeconfig])
}

/** What is to be applied in the cluster. It holds a secret and is shown once. */
function ManifestDialog({ made, onClose }: { readonly made: AgentManifest; readonly onClose: () => void }) {
  const { t } = useTranslation('clusters')
  return (
    <Dialog
      size="medium"
      title={t('manifest.title')}
      description={t('manifest.description', { time: made.tokenExpires })}
      onClose={onClose}
      footer={<Button onClick={onClose}>{t('close')}</Button>}
    >
      <div className="flex flex-col gap-3">
        <Field label={t('manifest.text')} hint={t('manifest.hint')}>
          <TextArea rows={12} readOnly value={hideSecrets(made.manifest)} />
        </Field>
        <span className="flex items-center gap-1 text-sm">
          <CopyButton text={made.manifest} /> {t('manifest.copy')}
        </span>
        <p className="text-sm text-muted">{t('manifest.writes', { list: made.writes.join(', ') })}</p>
      </div>
    </Dialog>
  )
}

/** A refusal appears above what was being filled in. */
function bringIntoView(element: HTMLElement | null): void {
  element?.scrollIntoView({ block: 'nearest' })
}
