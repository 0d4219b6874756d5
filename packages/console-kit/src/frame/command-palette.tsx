import { Dialog } from 'radix-ui'
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'
import { findKindDefinition, useConsole } from '../console-context.tsx'
import { changeLanguage, currentLanguage } from '../i18n/start-i18n.ts'
import { placesOf } from '../live/places.ts'
import { useServedByAll } from '../live/use-served.ts'
import { listHref } from '../model/console-path.ts'
import { rank } from '../model/fuzzy-match.ts'
import { chooseTheme, useTheme } from '../theme/theme.ts'
import { classNames } from '../ui/class-names.ts'
import { ClusterIcon, CustomKindIcon, DarkThemeIcon, HelpIcon, LanguageIcon, LightThemeIcon, SearchIcon, SignOutIcon, type Icon } from '../ui/icons.ts'
import { scopeQuery } from './scope.ts'
import { usePages } from './use-pages.ts'

interface Command {
  readonly id: string
  readonly group: string
  readonly label: string
  readonly words: readonly string[]
  readonly icon: Icon
  readonly run: () => void
}

const shownCommands = 60

/** Go anywhere by typing: pages, clusters, every kind the fleet serves, and the switches of the frame. */
export function CommandPalette({ onClose, onHelp }: { readonly onClose: () => void; readonly onHelp: () => void }) {
  const { t } = useTranslation('kit')
  const [query, setQuery] = useState('')
  const [active, setActive] = useState(0)
  const commands = useCommands(onClose, onHelp)
  const shown = useMemo(
    () => (query === '' ? commands.slice(0, shownCommands) : rank(query, commands, (command) => command.words, shownCommands)),
    [query, commands],
  )
  const listId = useId()
  const list = useRef<HTMLDivElement>(null)
  useEffect(() => list.current?.querySelector(`[data-index="${active}"]`)?.scrollIntoView({ block: 'nearest' }), [active])

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      const step = event.key === 'ArrowDown' ? 1 : -1
      setActive((current) => (current + step + shown.length) % Math.max(1, shown.length))
    }
    if (event.key === 'Enter') {
      event.preventDefault()
      shown[active]?.run()
    }
  }

  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-scrim" />
        <Dialog.Content
          aria-describedby={undefined}
          className="fixed top-[12vh] left-1/2 z-50 flex max-h-[70vh] w-[min(38rem,calc(100vw-1.5rem))] -translate-x-1/2 flex-col overflow-hidden rounded-lg border border-line bg-raised text-ink shadow-2xl outline-none"
        >
          <Dialog.Title className="sr-only">{t('palette.title')}</Dialog.Title>
          <div className="flex items-center gap-2.5 border-b border-line px-4">
            <SearchIcon aria-hidden className="size-4 text-muted" />
            <input
              role="combobox"
              aria-label={t('palette.title')}
              aria-expanded="true"
              aria-controls={listId}
              aria-activedescendant={shown[active] === undefined ? undefined : `${listId}-${active}`}
              placeholder={t('palette.placeholder')}
              value={query}
              onChange={(event) => {
                setQuery(event.target.value)
                setActive(0)
              }}
              onKeyDown={onKeyDown}
              className="h-12 flex-1 bg-transparent text-sm outline-none placeholder:text-faint"
            />
            <kbd className="rounded border border-line px-1.5 py-0.5 font-mono text-[11px] text-muted">esc</kbd>
          </div>
          <div id={listId} ref={list} role="listbox" aria-label={t('palette.title')} tabIndex={-1} className="min-h-0 flex-1 overflow-auto p-1.5">
            {shown.map((command, index) => (
              // oxlint-disable-next-line jsx-a11y/click-events-have-key-events -- the combobox above takes the keys, as ARIA's listbox pattern says
              <div
                key={command.id}
                id={`${listId}-${index}`}
                data-index={index}
                role="option"
                tabIndex={-1}
                aria-selected={index === active}
                onClick={command.run}
                onMouseMove={() => setActive(index)}
                className={classNames(
                  'flex cursor-pointer items-center gap-3 rounded px-2.5 py-1.5 text-sm',
                  index === active && 'bg-accent-soft text-accent-ink',
                )}
              >
                <command.icon aria-hidden className="size-4 shrink-0 opacity-75" />
                <span className="min-w-0 flex-1 truncate">{command.label}</span>
                <span className="text-xs text-muted">{command.group}</span>
              </div>
            ))}
            {shown.length === 0 && <p className="px-3 py-6 text-center text-sm text-muted">{t('palette.none')}</p>}
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

function useCommands(onClose: () => void, onHelp: () => void): readonly Command[] {
  const { t } = useTranslation('kit')
  const { features, fleet, signOut } = useConsole()
  const [, navigate] = useLocation()
  const offered = usePages()
  const { effective } = useTheme()
  const clusterNames = useMemo(() => fleet.members.map((member) => member.name), [fleet.members])
  const { resources } = useServedByAll(useMemo(() => placesOf({ clusters: clusterNames }).map(({ cluster }) => cluster), [clusterNames]))
  return useMemo(() => {
    const go = (path: string) => () => {
      onClose()
      navigate(path)
    }
    const act = (work: () => void) => () => {
      onClose()
      work()
    }
    const pages = offered
      .filter((page) => !page.path.includes(':'))
      .map((page): Command => {
        const label = t(page.title)
        return {
          id: page.path,
          group: t('palette.page'),
          label,
          words: [label, page.path],
          icon: page.nav?.icon ?? CustomKindIcon,
          run: go(page.path + scopeQuery()),
        }
      })
    const listed = new Set(pages.map((page) => page.id))
    const clusters = fleet.members.map((member): Command => ({
      id: `cluster:${member.name}`,
      group: t('palette.cluster'),
      label: member.displayName,
      words: [member.displayName, member.name],
      icon: ClusterIcon,
      run: go(`/clusters/${encodeURIComponent(member.name)}`),
    }))
    const kinds = resources
      .map((resource) => ({ resource, kind: findKindDefinition(features, resource) }))
      .filter(({ resource, kind }) => !listed.has(kind?.listPath ?? listHref(resource)))
      .map(({ resource, kind }): Command => ({
        id: `kind:${resource.group}/${resource.plural}`,
        group: resource.group === '' ? t('palette.kind') : resource.group,
        label: resource.kind,
        words: [resource.kind, resource.plural, ...resource.shortNames],
        icon: kind?.icon ?? CustomKindIcon,
        run: go(listHref(resource) + scopeQuery()),
      }))
    const isZh = currentLanguage() === 'zh'
    const switches: readonly Command[] = [
      {
        id: 'theme',
        group: t('palette.command'),
        label: t(effective === 'dark' ? 'palette.toLight' : 'palette.toDark'),
        words: [t('theme.label'), 'theme', 'dark', 'light'],
        icon: effective === 'dark' ? LightThemeIcon : DarkThemeIcon,
        run: act(() => chooseTheme(effective === 'dark' ? 'light' : 'dark')),
      },
      {
        id: 'language',
        group: t('palette.command'),
        label: isZh ? 'Switch to English' : '切换到中文',
        words: ['language', 'english', 'chinese', '中文', '语言'],
        icon: LanguageIcon,
        run: act(() => changeLanguage(isZh ? 'en' : 'zh')),
      },
      {
        id: 'help',
        group: t('palette.command'),
        label: t('shortcuts.title'),
        words: [t('shortcuts.title'), 'shortcuts keyboard help'],
        icon: HelpIcon,
        run: act(onHelp),
      },
      { id: 'sign-out', group: t('palette.command'), label: t('user.signOut'), words: [t('user.signOut'), 'logout'], icon: SignOutIcon, run: act(signOut) },
    ]
    return [...pages, ...clusters, ...kinds, ...switches]
  }, [offered, features, fleet.members, resources, navigate, onClose, onHelp, signOut, effective, t])
}
