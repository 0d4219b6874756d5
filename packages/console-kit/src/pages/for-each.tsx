import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { toApiError, type ApiError } from '../api/api-error.ts'
import type { ObjectRef } from '../api/kube-client.ts'
import { ErrorNotice } from '../ui/notice.tsx'

export interface TargetFailure {
  readonly target: ObjectRef
  readonly error: ApiError
}

const parallel = 6

/** Does one thing to several objects, a few at a time. Those that fail are kept with their reason; a second run does only them. */
export function useForEach(): {
  readonly isBusy: boolean
  readonly failures: readonly TargetFailure[]
  readonly run: (targets: readonly ObjectRef[], task: (target: ObjectRef) => Promise<unknown>) => Promise<boolean>
} {
  const [isBusy, setBusy] = useState(false)
  const [failures, setFailures] = useState<readonly TargetFailure[]>([])
  async function run(targets: readonly ObjectRef[], task: (target: ObjectRef) => Promise<unknown>): Promise<boolean> {
    setBusy(true)
    const queue = failures.length > 0 ? failures.map((failure) => failure.target) : [...targets]
    const failed: TargetFailure[] = []
    async function worker(): Promise<void> {
      for (let target = queue.shift(); target !== undefined; target = queue.shift()) {
        try {
          // oxlint-disable-next-line no-await-in-loop -- the number of workers is the limit
          await task(target)
        } catch (error) {
          failed.push({ target, error: toApiError(error) })
        }
      }
    }
    await Promise.all(Array.from({ length: parallel }, worker))
    setFailures(failed)
    setBusy(false)
    return failed.length === 0
  }
  return { isBusy, failures, run }
}

export function ActionFailures({ failures }: { readonly failures: readonly TargetFailure[] }) {
  const { t } = useTranslation('kit')
  return failures
    .slice(0, 5)
    .map(({ target, error }) => (
      <ErrorNotice key={`${target.cluster}/${target.namespace}/${target.name}`} error={error} title={t('action.failedFor', { name: target.name })} />
    ))
}
