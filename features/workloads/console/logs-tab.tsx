import { Button, Checkbox, classNames, Empty, ErrorNotice, IconButton, Loading, SearchBox, Select, type DetailProps } from '@gantry/console-kit'
import { ArrowDownIcon, ArrowUpIcon, DownloadIcon, FilterIcon, LogsIcon, PauseIcon, PlayIcon, WrapIcon } from '@gantry/console-kit/icons'
import { useDeferredValue, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { matchingLines } from './log-search.ts'
import { LogView } from './log-view.tsx'
import type { Pod } from './pod.ts'
import { logPath, useLog } from './use-log.ts'

const tails = [100, 500, 1_000, 5_000] as const
const sinces = [300, 3_600, 21_600, 86_400] as const

/** The log of a pod's container: follow, previous run, start, search, wrap, download. */
export function LogsTab({ target, object, isGone }: DetailProps) {
  const { t } = useTranslation('workloads')
  const pod = object as Pod
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? []), ...(pod.spec?.ephemeralContainers ?? [])].map(
    (container) => container.name,
  )
  const [container, setContainer] = useState(containers[0] ?? '')
  const [isFollowing, setFollowing] = useState(true)
  const [isPrevious, setPrevious] = useState(false)
  const [start, setStart] = useState('tail:500')
  const [isWrapped, setWrapped] = useState(false)
  const [hasTimes, setTimes] = useState(false)
  const [isFiltered, setFiltered] = useState(false)
  const [search, setSearch] = useState('')
  const [match, setMatch] = useState(0)
  const [kind, value] = start.split(':')
  const amount = Number(value)
  const log = useLog(
    target,
    {
      container,
      follow: !isPrevious,
      previous: isPrevious,
      tailLines: kind === 'tail' ? amount : undefined,
      sinceSeconds: kind === 'since' ? amount : undefined,
    },
    isGone,
  )
  const query = useDeferredValue(search)
  const matches = useMemo(() => matchingLines(log.lines, query), [log.lines, query])
  const shown = useMemo(
    () => (isFiltered && query !== '' ? matches.map((index) => log.lines[index]).filter((line) => line !== undefined) : log.lines),
    [isFiltered, query, matches, log.lines],
  )
  const current = matches.length === 0 ? 0 : match % matches.length
  const focusIndex = query === '' || matches.length === 0 ? undefined : isFiltered ? current : matches[current]

  function step(by: number): void {
    if (matches.length === 0) return
    setFollowing(false)
    setMatch((current + by + matches.length) % matches.length)
  }

  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div role="toolbar" aria-label={t('logs.toolbar')} className="flex flex-wrap items-center gap-2 border-b border-line px-4 py-2 md:px-5">
        <Select aria-label={t('logs.container')} value={container} onChange={(event) => setContainer(event.target.value)} className="w-auto! max-w-48">
          {containers.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </Select>
        <Select aria-label={t('logs.start')} value={start} onChange={(event) => setStart(event.target.value)} className="w-auto!">
          {tails.map((lines) => (
            <option key={lines} value={`tail:${lines}`}>
              {t('logs.tail', { count: lines })}
            </option>
          ))}
          {sinces.map((seconds) => (
            <option key={seconds} value={`since:${seconds}`}>
              {t(`logs.since.${seconds}`)}
            </option>
          ))}
          <option value="all:0">{t('logs.all')}</option>
        </Select>
        <Checkbox label={t('logs.previous')} checked={isPrevious} onChange={(event) => setPrevious(event.target.checked)} />
        <SearchBox
          value={search}
          placeholder={t('logs.search')}
          onChange={(text) => {
            setSearch(text)
            setMatch(0)
          }}
        />
        {query !== '' && (
          <span className="flex items-center text-xs text-muted tabular-nums" aria-live="polite">
            {t('logs.matches', { at: matches.length === 0 ? 0 : current + 1, count: matches.length })}
            <IconButton icon={ArrowUpIcon} label={t('logs.previousMatch')} onClick={() => step(-1)} className="size-7" />
            <IconButton icon={ArrowDownIcon} label={t('logs.nextMatch')} onClick={() => step(1)} className="size-7" />
          </span>
        )}
        <div className="ml-auto flex items-center gap-1">
          <IconButton icon={FilterIcon} label={t('logs.onlyMatches')} isPressed={isFiltered} onClick={() => setFiltered(!isFiltered)} />
          <IconButton icon={WrapIcon} label={t('logs.wrap')} isPressed={isWrapped} onClick={() => setWrapped(!isWrapped)} />
          <Checkbox label={t('logs.times')} checked={hasTimes} onChange={(event) => setTimes(event.target.checked)} className="mx-1" />
          <a
            href={logPath(target, { container, previous: isPrevious || undefined, timestamps: hasTimes || undefined })}
            download={`${target.name}-${container}.log`}
            className="inline-flex h-8 items-center gap-1.5 rounded-md border border-line-strong bg-panel px-3 text-sm font-medium hover:bg-hover"
          >
            <DownloadIcon aria-hidden className="size-4" />
            {t('logs.download')}
          </a>
          <Button icon={isFollowing ? PauseIcon : PlayIcon} aria-pressed={isFollowing} onClick={() => setFollowing(!isFollowing)} disabled={isPrevious}>
            {t(isFollowing ? 'logs.following' : 'logs.follow')}
          </Button>
        </div>
      </div>
      {log.error !== undefined && (
        <div className="px-4 py-2 md:px-5">
          <ErrorNotice error={log.error} title={t('logs.failed')} />
        </div>
      )}
      {shown.length > 0 ? (
        <LogView
          lines={shown}
          query={query}
          focusIndex={focusIndex}
          isFollowing={isFollowing && !isPrevious}
          isWrapped={isWrapped}
          hasTimes={hasTimes}
          onScrolledUp={() => setFollowing(false)}
          onScrolledDown={() => setFollowing(true)}
        />
      ) : log.phase === 'loading' ? (
        <Loading label={t('logs.loading')} />
      ) : (
        log.error === undefined && <Empty icon={LogsIcon} title={query === '' ? t('logs.none') : t('logs.noMatch')} />
      )}
      <div className={classNames('flex gap-4 border-t border-line px-4 py-1 text-xs text-muted tabular-nums md:px-5')}>
        <span>{t('logs.lines', { count: log.lines.length })}</span>
        {log.dropped > 0 && <span>{t('logs.dropped', { count: log.dropped })}</span>}
        <span>{t(`logs.phase.${log.phase}`)}</span>
      </div>
    </div>
  )
}
