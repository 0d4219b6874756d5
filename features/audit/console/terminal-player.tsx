import { Button, ErrorNotice, Loading, Select, toApiError, useServices, type ApiError } from '@gantry/console-kit'
import { DownloadIcon, PauseIcon, PlayIcon, RestartIcon } from '@gantry/console-kit/icons'
import { Terminal } from '@xterm/xterm'
import '@xterm/xterm/css/xterm.css'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { auditPath } from '../api/index.ts'
import { countUntil, parseCast, sizeOf, type Cast } from './cast.ts'

const speeds = [0.5, 1, 2, 4, 8] as const
const frameMs = 50

type State = { readonly phase: 'loading' } | { readonly phase: 'error'; readonly error: ApiError } | { readonly phase: 'ready'; readonly cast: Cast }

/** Loads and plays the recording of a session. */
export function TerminalPlayer({ id }: { readonly id: string }) {
  const { t } = useTranslation('audit')
  const { api } = useServices()
  const [state, setState] = useState<State>({ phase: 'loading' })
  const path = `${auditPath}/recordings/${encodeURIComponent(id)}`

  useEffect(() => {
    const abort = new AbortController()
    api.text(path, { accept: '*/*', signal: abort.signal }).then(
      (text) => {
        const cast = parseCast(text)
        setState(cast === undefined ? { phase: 'error', error: toApiError(new Error('no asciicast v2')) } : { phase: 'ready', cast })
      },
      (error: unknown) => {
        if (!abort.signal.aborted) setState({ phase: 'error', error: toApiError(error) })
      },
    )
    return () => abort.abort()
  }, [api, path])

  if (state.phase === 'loading') return <Loading label={t('replay.loading')} />
  if (state.phase === 'error') return <ErrorNotice error={state.error} title={t('replay.failed')} />
  return <Player cast={state.cast} file={path} name={`${id}.cast`} />
}

function Player({ cast, file, name }: { readonly cast: Cast; readonly file: string; readonly name: string }) {
  const { t } = useTranslation('audit')
  const screen = useRef<HTMLDivElement>(null)
  const terminal = useRef<Terminal>(null)
  const shown = useRef(0)
  const [seconds, setSeconds] = useState(0)
  const [isPlaying, setPlaying] = useState(true)
  const [speed, setSpeed] = useState<number>(1)

  useEffect(() => {
    if (screen.current === null) return undefined
    // Nothing is typed, and what a program asks of the terminal is answered to nobody.
    const opened = new Terminal({ cols: cast.width, rows: cast.height, disableStdin: true, cursorBlink: false, fontSize: 13, scrollback: 5_000 })
    opened.open(screen.current)
    terminal.current = opened
    shown.current = 0
    return () => {
      terminal.current = null
      opened.dispose()
    }
  }, [cast])

  useEffect(() => {
    if (terminal.current !== null) shown.current = show(terminal.current, cast, { from: shown.current, until: countUntil(cast, seconds) })
  }, [cast, seconds])

  useEffect(() => {
    if (!isPlaying) return undefined
    const timer = setInterval(() => setSeconds((now) => Math.min(cast.seconds, now + (frameMs / 1_000) * speed)), frameMs)
    return () => clearInterval(timer)
  }, [isPlaying, speed, cast])

  const isAtEnd = seconds >= cast.seconds
  return (
    <div className="flex flex-col gap-3 pb-3">
      <div role="group" aria-label={t('replay.screen')} className="overflow-auto rounded-md bg-black p-2">
        <div ref={screen} />
      </div>
      <div className="flex flex-wrap items-center gap-2">
        {isAtEnd ? (
          <Button icon={RestartIcon} onClick={() => setSeconds(0)}>
            {t('replay.restart')}
          </Button>
        ) : (
          <Button icon={isPlaying ? PauseIcon : PlayIcon} onClick={() => setPlaying(!isPlaying)}>
            {t(isPlaying ? 'replay.pause' : 'replay.play')}
          </Button>
        )}
        <input
          type="range"
          aria-label={t('replay.position')}
          className="min-w-40 flex-1"
          min={0}
          max={cast.seconds}
          step={0.1}
          value={seconds}
          onChange={(event) => setSeconds(Number(event.target.value))}
        />
        <span className="w-24 text-right text-xs text-muted tabular-nums">
          {clock(seconds)} / {clock(cast.seconds)}
        </span>
        <Select aria-label={t('replay.speed')} value={speed} onChange={(event) => setSpeed(Number(event.target.value))} className="w-auto!">
          {speeds.map((one) => (
            <option key={one} value={one}>
              {one}×
            </option>
          ))}
        </Select>
        <a
          href={file}
          download={name}
          className="inline-flex h-8 items-center gap-1.5 rounded-md border border-line-strong bg-panel px-3 text-sm font-medium hover:bg-hover"
        >
          <DownloadIcon aria-hidden className="size-4" />
          {t('replay.download')}
        </a>
      </div>
    </div>
  )
}

/** Brings the screen from one event to another; back means from the start. Returns where it is. */
function show(terminal: Terminal, cast: Cast, { from, until }: { readonly from: number; readonly until: number }): number {
  let begin = from
  if (until < from) {
    terminal.reset()
    terminal.resize(cast.width, cast.height)
    begin = 0
  }
  let text = ''
  for (const [, code, data] of cast.events.slice(begin, until)) {
    const size = code === 'r' ? sizeOf(data) : undefined
    if (code === 'o') text += data
    else if (code === 'm') text += `\r\n\u001b[7m ${data} \u001b[0m\r\n`
    else if (size !== undefined) {
      terminal.write(text)
      text = ''
      terminal.resize(size.columns, size.rows)
    }
  }
  terminal.write(text)
  return until
}

function clock(seconds: number): string {
  const whole = Math.floor(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}
