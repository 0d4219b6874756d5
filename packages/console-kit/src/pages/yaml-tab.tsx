import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { toApiError, type ApiError } from '../api/api-error.ts'
import type { AnyObject, KubeObject } from '../api/kube-object.ts'
import type { DetailProps } from '../definitions.ts'
import { LazyYamlEditor } from '../editor/lazy-yaml-editor.tsx'
import { forDiff, inReadingOrder, withoutManagedFields } from '../model/editable-object.ts'
import { parseObject, toYaml } from '../model/yaml-documents.ts'
import { useServices } from '../services.tsx'
import { Button } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Checkbox } from '../ui/field.tsx'
import { CheckIcon, EyeIcon } from '../ui/icons.ts'
import { ErrorNotice, Notice } from '../ui/notice.tsx'
import { useToast } from '../ui/toasts.tsx'
import { DiffView } from './diff-view.tsx'

interface Draft {
  /** The object the edit started from. */
  readonly base: AnyObject
  readonly text: string
}

interface Review {
  readonly object: KubeObject
  readonly before: string
  readonly after: string
}

/** The object as YAML. Editing starts a draft that live changes do not touch; saving first asks the server what would become of it. */
export function YamlTab({ target, object, isGone, isReadOnly, served }: DetailProps) {
  const { t } = useTranslation('kit')
  const { client } = useServices()
  const toast = useToast()
  const [draft, setDraft] = useState<Draft>()
  const [showsManaged, setShowsManaged] = useState(false)
  const [error, setError] = useState<ApiError>()
  const [isBusy, setBusy] = useState(false)
  const [review, setReview] = useState<Review>()
  const canEdit = !isGone && !isReadOnly && (served === undefined || served.verbs.includes('update'))
  const liveText = useMemo(() => toYaml(inReadingOrder(showsManaged ? object : withoutManagedFields(object))), [object, showsManaged])
  const isBehind = draft !== undefined && draft.base.metadata.resourceVersion !== object.metadata.resourceVersion

  async function attempt(work: () => Promise<void>): Promise<void> {
    setBusy(true)
    setError(undefined)
    try {
      await work()
    } catch (thrown) {
      setError(toApiError(thrown))
    } finally {
      setBusy(false)
    }
  }

  function startReview(overwrite: boolean): void {
    if (draft === undefined || isBusy) return
    const parsed = parseObject(draft.text)
    if (!parsed.ok) {
      setError(toApiError(new Error(parsed.message)))
      return
    }
    const resourceVersion = overwrite ? object.metadata.resourceVersion : parsed.object.metadata.resourceVersion
    const wanted = { ...parsed.object, metadata: { ...parsed.object.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) } }
    void attempt(async () => {
      const result = await client.replace(target, wanted, { dryRun: true })
      setReview({ object: wanted, before: toYaml(forDiff(object)), after: toYaml(forDiff(result, object)) })
    })
  }

  function save(): void {
    if (review === undefined) return
    void attempt(async () => {
      await client.replace(target, review.object)
      setReview(undefined)
      setDraft(undefined)
      toast('ok', t('yaml.saved', { name: target.name }))
    })
  }

  const isConflict = error?.reason === 'Conflict'
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex min-h-12 flex-wrap items-center gap-2 border-b border-line px-4 py-2 md:px-5">
        <Checkbox
          label={t('yaml.managedFields')}
          checked={showsManaged}
          disabled={draft !== undefined}
          onChange={(event) => setShowsManaged(event.target.checked)}
        />
        <div className="ml-auto flex items-center gap-2">
          <CopyButton text={draft?.text ?? liveText} label={t('yaml.copy')} />
          {draft !== undefined && (
            <>
              <Button
                onClick={() => {
                  setDraft(undefined)
                  setError(undefined)
                }}
              >
                {t('yaml.discard')}
              </Button>
              <Button look="primary" icon={EyeIcon} isBusy={isBusy && review === undefined} disabled={!canEdit} onClick={() => startReview(false)}>
                {t('yaml.review')}
              </Button>
            </>
          )}
        </div>
      </div>
      {(error !== undefined || isBehind) && review === undefined && (
        <div className="flex flex-col gap-2 px-4 py-2 md:px-5">
          {error !== undefined && (
            <ErrorNotice
              error={error}
              title={isConflict ? t('yaml.conflict') : t('yaml.refused')}
              actions={
                isConflict && (
                  <Button className="h-7" onClick={() => startReview(true)}>
                    {t('yaml.rebase')}
                  </Button>
                )
              }
            />
          )}
          {isBehind && error === undefined && <Notice tone="progress" title={t('yaml.changedMeanwhile')} />}
        </div>
      )}
      <div className="min-h-0 flex-1">
        <LazyYamlEditor
          label={t('yaml.editorOf', { name: target.name })}
          value={draft?.text ?? liveText}
          isReadOnly={!canEdit || showsManaged}
          onSave={() => startReview(false)}
          onChange={(text) => setDraft((current) => ({ base: current?.base ?? object, text }))}
        />
      </div>
      {review !== undefined && (
        <Dialog
          size="large"
          title={t('yaml.reviewTitle', { name: target.name })}
          description={t('yaml.reviewHelp')}
          onClose={() => {
            setReview(undefined)
            setError(undefined)
          }}
          footer={
            <>
              <Button onClick={() => setReview(undefined)}>{t('yaml.keepEditing')}</Button>
              <Button look="primary" icon={CheckIcon} isBusy={isBusy} onClick={save}>
                {t('yaml.save')}
              </Button>
            </>
          }
        >
          <div className="flex flex-col gap-3">
            {error !== undefined && <ErrorNotice error={error} title={isConflict ? t('yaml.conflict') : t('yaml.refused')} />}
            <DiffView before={review.before} after={review.after} />
          </div>
        </Dialog>
      )}
    </div>
  )
}
