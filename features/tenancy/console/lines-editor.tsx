import { Button, classNames, IconButton, Select, TextInput } from '@gantry/console-kit'
import { CloseIcon, PlusIcon } from '@gantry/console-kit/icons'
import { useId } from 'react'
import { useTranslation } from 'react-i18next'
import { canonicalResource } from '../api/index.ts'
import { problemsOfLines, usualResources, type AmountLine } from './amounts.ts'
import type { LimitAbove } from './project-form.ts'

export interface LinesEditorProps {
  readonly lines: readonly AmountLine[]
  readonly onChange: (lines: readonly AmountLine[]) => void
  /** That a line may be about; without any, lines are about all clusters together. */
  readonly clusters: readonly string[]
  /** What has to be set, as something above is limited. */
  readonly limits?: readonly LimitAbove[] | undefined
  readonly title: string
  readonly hint?: string | undefined
}

const atMost = 60

/** A quota line by line: where, of what, how much. */
export function LinesEditor({ lines, onChange, clusters, limits = [], title, hint }: LinesEditorProps) {
  const { t } = useTranslation('tenancy')
  const listId = useId()
  const problems = problemsOfLines(lines)
  const change = (index: number, part: Partial<AmountLine>): void => onChange(lines.map((line, at) => (at === index ? { ...line, ...part } : line)))
  const limitOf = (line: AmountLine) =>
    limits.find(({ cluster, resource }) => cluster === line.cluster && canonicalResource(resource) === canonicalResource(line.resource))
  const hasClusters = clusters.length > 0 || lines.some(({ cluster }) => cluster !== '')
  const options = [...new Set([...clusters, ...lines.map(({ cluster }) => cluster).filter((cluster) => cluster !== '')])]
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 text-sm font-medium">{title}</legend>
      {hint !== undefined && <p className="text-xs text-muted">{hint}</p>}
      <datalist id={listId}>
        {usualResources.map((resource) => (
          <option key={resource}>{resource}</option>
        ))}
      </datalist>
      {lines.map((line, index) => {
        const limit = limitOf(line)
        // One that only waits to be filled in is told what there is.
        const found = problems.get(index)
        const problem = found === 'amount' && line.amount === '' && limit !== undefined ? undefined : found
        const noteId = `${listId}-${index}`
        const note =
          problem !== undefined ? t(`form.lineProblem.${problem}`) : limit && t('form.freeAbove', { free: limit.free, limit: limit.limit, scope: limit.scope })
        return (
          // oxlint-disable-next-line react/no-array-index-key -- a line has nothing else that stays while it is typed
          <div key={index}>
            <div className="flex items-center gap-2">
              {hasClusters && (
                <Select
                  aria-label={t('form.where')}
                  value={line.cluster}
                  onChange={(event) => change(index, { cluster: event.target.value })}
                  className="max-w-40"
                >
                  <option value="">{t('form.allClusters')}</option>
                  {options.map((cluster) => (
                    <option key={cluster}>{cluster}</option>
                  ))}
                </Select>
              )}
              <TextInput
                aria-label={t('form.resource')}
                list={listId}
                placeholder="requests.cpu"
                spellCheck={false}
                autoCapitalize="none"
                value={line.resource}
                onChange={(event) => change(index, { resource: event.target.value })}
              />
              <TextInput
                aria-label={t('form.amountOf', { resource: line.resource })}
                aria-invalid={problem !== undefined}
                {...(note === undefined ? {} : { 'aria-describedby': noteId })}
                placeholder={t('form.amountExample')}
                spellCheck={false}
                value={line.amount}
                onChange={(event) => change(index, { amount: event.target.value })}
                className="max-w-32"
              />
              <IconButton
                icon={CloseIcon}
                label={t('form.removeLine', { resource: line.resource })}
                onClick={() => onChange(lines.filter((_, at) => at !== index))}
              />
            </div>
            {note !== undefined && (
              <p id={noteId} className={classNames('mt-0.5 text-xs', problem === undefined ? 'text-muted' : 'text-error')}>
                {note}
              </p>
            )}
          </div>
        )
      })}
      <div>
        <Button
          look="quiet"
          icon={PlusIcon}
          aria-label={t('form.addLineTo', { title })}
          disabled={lines.length >= atMost}
          onClick={() => onChange([...lines, { cluster: '', resource: '', amount: '' }])}
        >
          {t('form.addLine')}
        </Button>
      </div>
    </fieldset>
  )
}
