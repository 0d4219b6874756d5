import {
  Button,
  Checkbox,
  Dialog,
  ErrorNotice,
  Field,
  Select,
  TextArea,
  TextInput,
  toApiError,
  useServices,
  useToast,
  type ApiError,
} from '@gantry/console-kit'
import { UploadIcon } from '@gantry/console-kit/icons'
import { useMemo, useRef, useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import type { ClusterObject } from './cluster.ts'
import { readKubeconfig, suggestName } from './kubeconfig.ts'

type Way = 'kubeconfig' | 'token'

const importPath = '/platform/v1/clusters/import'
/** A kubeconfig of many clusters is some 100 KB; more is not one. */
const maxFileBytes = 1024 * 1024

/** Brings a real cluster into the fleet. Nothing is written into it; the server tries the connection and says exactly what is wrong. */
export function ImportDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation('clusters')
  const { api } = useServices()
  const toast = useToast()
  const [way, setWay] = useState<Way>('kubeconfig')
  const [name, setName] = useState('')
  const [isNamed, setNamed] = useState(false)
  const [kubeconfig, setKubeconfig] = useState('')
  const [context, setContext] = useState('')
  const [server, setServer] = useState('')
  const [token, setToken] = useState('')
  const [caData, setCaData] = useState('')
  const [isInsecure, setInsecure] = useState(false)
  const [error, setError] = useState<ApiError>()
  const [fileProblem, setFileProblem] = useState<string>()
  const [isBusy, setBusy] = useState(false)
  const file = useRef<HTMLInputElement>(null)
  const reading = useMemo(() => (kubeconfig.trim() === '' ? undefined : readKubeconfig(kubeconfig)), [kubeconfig])
  const contexts = reading?.ok === true ? reading.contexts : []
  const fieldError = (field: string): string | undefined => error?.causes.find((cause) => cause.field?.split('.').at(-1) === field)?.message

  function takeKubeconfig(text: string): void {
    setKubeconfig(text)
    setFileProblem(undefined)
    const read = readKubeconfig(text)
    if (!read.ok) return
    const current = read.contexts.find((candidate) => candidate.isCurrent) ?? read.contexts[0]
    pickContext(current?.name ?? '')
  }
  function pickContext(picked: string): void {
    setContext(picked)
    if (!isNamed) setName(suggestName(picked))
  }
  async function takeFile(chosen: File | undefined): Promise<void> {
    if (chosen === undefined) return
    if (chosen.size > maxFileBytes) setFileProblem(t('import.fileTooLarge'))
    else takeKubeconfig(await chosen.text())
  }

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    setBusy(true)
    setError(undefined)
    const body =
      way === 'kubeconfig'
        ? { name, kubeconfig, ...(context === '' ? {} : { context }) }
        : { name, server, token, ...(caData.trim() === '' ? {} : { caData }), ...(isInsecure ? { insecureSkipTLSVerify: true } : {}) }
    try {
      const cluster = await api.json<ClusterObject>(importPath, { method: 'POST', body })
      toast('ok', t('import.done', { name: cluster.metadata.name }))
      onClose()
    } catch (thrown) {
      setError(toApiError(thrown))
      setBusy(false)
    }
  }

  const isReady = name !== '' && (way === 'kubeconfig' ? reading?.ok === true : server !== '' && token !== '')
  return (
    <Dialog
      size="medium"
      title={t('import.title')}
      description={t('import.description')}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button look="primary" type="submit" form="import-form" icon={UploadIcon} isBusy={isBusy} disabled={!isReady}>
            {t('import.submit')}
          </Button>
        </>
      }
    >
      <form id="import-form" onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        <fieldset className="flex gap-1 rounded-md bg-canvas p-1">
          <legend className="sr-only">{t('import.way')}</legend>
          {(['kubeconfig', 'token'] as const).map((option) => (
            <label
              key={option}
              className="flex h-8 flex-1 cursor-pointer items-center justify-center rounded text-sm font-medium text-muted has-checked:bg-panel has-checked:text-ink has-checked:shadow-sm has-focus-visible:outline-2 has-focus-visible:outline-accent"
            >
              <input type="radio" name="way" value={option} checked={way === option} onChange={() => setWay(option)} className="sr-only" />
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
                value={kubeconfig}
                onChange={(event) => takeKubeconfig(event.target.value)}
                onDragOver={(event) => event.preventDefault()}
                onDrop={(event) => {
                  event.preventDefault()
                  void takeFile(event.dataTransfer.files[0])
                }}
              />
            </Field>
            <div className="-mt-2 flex items-center gap-2">
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
        ) : (
          <>
            <Field label={t('import.server')} error={fieldError('server')}>
              <TextInput type="url" required placeholder="https://10.0.0.1:6443" value={server} onChange={(event) => setServer(event.target.value)} />
            </Field>
            <Field label={t('import.token')} hint={t('import.tokenHint')} error={fieldError('token')}>
              <TextInput type="password" required autoComplete="off" value={token} onChange={(event) => setToken(event.target.value)} />
            </Field>
            <Field label={t('import.ca')} hint={t('import.caHint')} error={fieldError('caData')}>
              <TextArea rows={5} placeholder="-----BEGIN CERTIFICATE-----" value={caData} onChange={(event) => setCaData(event.target.value)} />
            </Field>
            <Checkbox label={t('import.insecure')} checked={isInsecure} onChange={(event) => setInsecure(event.target.checked)} />
          </>
        )}
        <Field label={t('import.name')} hint={t('import.nameHint')} error={fieldError('name')}>
          <TextInput
            required
            pattern="[a-z0-9]([a-z0-9\-]*[a-z0-9])?"
            maxLength={63}
            autoComplete="off"
            spellCheck={false}
            value={name}
            onChange={(event) => {
              setName(event.target.value)
              setNamed(true)
            }}
          />
        </Field>
        {error !== undefined && <ErrorNotice error={error} title={t('import.failed')} />}
      </form>
    </Dialog>
  )
}
