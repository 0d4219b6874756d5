import { Suspense, useEffect, useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'wouter'
import { useConsole } from '../console-context.tsx'
import type { NavSection, PageDefinition } from '../definitions.ts'
import { changeLanguage, currentLanguage } from '../i18n/start-i18n.ts'
import { chooseTheme, useTheme } from '../theme/theme.ts'
import { useFollowLinks } from '../ui/app-link.tsx'
import { IconButton } from '../ui/button.tsx'
import { classNames } from '../ui/class-names.ts'
import { CraneMark } from '../ui/crane-mark.tsx'
import { Loading } from '../ui/empty.tsx'
import { CloseIcon, DarkThemeIcon, LanguageIcon, LightThemeIcon, MenuIcon, SearchIcon, SignOutIcon, SystemThemeIcon, UserIcon } from '../ui/icons.ts'
import { Menu, MenuChoice, MenuItem, MenuLabel, MenuSeparator } from '../ui/menu.tsx'
import { CommandPalette } from './command-palette.tsx'
import { ErrorBoundary } from './error-boundary.tsx'
import { isTyping } from '../ui/is-typing.ts'
import { scopeQuery } from './scope.ts'
import { ShortcutsDialog } from './shortcuts-dialog.tsx'
import { usePages } from './use-pages.ts'

const sections: readonly NavSection[] = ['fleet', 'workloads', 'network', 'config', 'cluster', 'access']

/** Brand bar, navigation and the page. On a phone the navigation is a drawer. */
export function AppFrame({ children }: { readonly children: ReactNode }) {
  const { t } = useTranslation('kit')
  const [isPaletteOpen, setPaletteOpen] = useState(false)
  const [isHelpOpen, setHelpOpen] = useState(false)
  const [location] = useLocation()
  const followLinks = useFollowLinks()
  // Open where it was opened: going anywhere closes the drawer.
  const [navOpenAt, setNavOpenAt] = useState<string>()
  const isNavOpen = navOpenAt === location
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === '?' && !isTyping(event.target)) setHelpOpen(true)
      if (event.key.toLowerCase() !== 'k' || !(event.metaKey || event.ctrlKey)) return
      event.preventDefault()
      setPaletteOpen((open) => !open)
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])

  return (
    <div className="flex h-dvh flex-col overflow-hidden md:flex-row">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:m-2 focus:rounded focus:bg-accent focus:px-3 focus:py-2 focus:text-on-accent"
      >
        {t('frame.skip')}
      </a>
      <div className="flex h-12 shrink-0 items-center gap-2 bg-rail px-3 text-rail-ink md:hidden">
        <button
          type="button"
          aria-label={t('frame.openNav')}
          onClick={() => setNavOpenAt(location)}
          className="cursor-pointer rounded p-1.5 hover:bg-rail-hover"
        >
          <MenuIcon aria-hidden className="size-5" />
        </button>
        <Brand />
        <button
          type="button"
          aria-label={t('palette.open')}
          onClick={() => setPaletteOpen(true)}
          className="ml-auto cursor-pointer rounded p-1.5 hover:bg-rail-hover"
        >
          <SearchIcon aria-hidden className="size-5" />
        </button>
      </div>
      {isNavOpen && (
        <button
          type="button"
          aria-label={t('frame.closeNav')}
          tabIndex={-1}
          onClick={() => setNavOpenAt(undefined)}
          className="fixed inset-0 z-20 bg-scrim md:hidden"
        />
      )}
      <aside
        className={classNames(
          'z-30 w-60 shrink-0 flex-col bg-rail text-rail-ink md:flex md:w-52',
          isNavOpen ? 'fixed inset-y-0 left-0 flex shadow-2xl' : 'hidden',
        )}
      >
        <div className="flex h-14 items-center gap-2 px-4">
          <Brand />
          {isNavOpen && (
            <button
              type="button"
              aria-label={t('frame.closeNav')}
              onClick={() => setNavOpenAt(undefined)}
              className="ml-auto cursor-pointer rounded p-1.5 hover:bg-rail-hover md:hidden"
            >
              <CloseIcon aria-hidden className="size-5" />
            </button>
          )}
        </div>
        <div className="px-3 pb-2">
          <button
            type="button"
            onClick={() => setPaletteOpen(true)}
            className="flex h-8 w-full cursor-pointer items-center gap-2 rounded-md border border-rail-line px-2.5 text-sm text-rail-muted hover:bg-rail-hover hover:text-rail-ink"
          >
            <SearchIcon aria-hidden className="size-4" />
            <span className="flex-1 truncate text-left">{t('palette.jump')}</span>
            <kbd className="font-mono text-[11px]">{isApple() ? '⌘K' : 'Ctrl K'}</kbd>
          </button>
        </div>
        <Navigation />
        <UserBar />
      </aside>
      {/* oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions -- anchors answer keys themselves; this only follows their clicks */}
      <main id="main" tabIndex={-1} onClick={followLinks} className="min-h-0 min-w-0 flex-1 overflow-hidden outline-none">
        <ErrorBoundary resetKey={location} title={t('frame.broken')} retryLabel={t('frame.reload')}>
          <Suspense fallback={<Loading label={t('frame.loading')} />}>{children}</Suspense>
        </ErrorBoundary>
      </main>
      {isPaletteOpen && <CommandPalette onClose={() => setPaletteOpen(false)} onHelp={() => setHelpOpen(true)} />}
      {isHelpOpen && <ShortcutsDialog onClose={() => setHelpOpen(false)} />}
    </div>
  )
}

function isApple(): boolean {
  return /mac|iphone|ipad/i.test(navigator.userAgent)
}

function Brand() {
  return (
    <Link href="/" className="flex items-center gap-2.5 rounded">
      <CraneMark className="size-6" />
      <span className="text-[15px] font-semibold tracking-tight">Gantry</span>
      <span lang="zh" className="text-xs text-rail-muted">
        龙门
      </span>
    </Link>
  )
}

function Navigation() {
  const { t } = useTranslation('kit')
  const [location] = useLocation()
  const pages = usePages().filter((page) => page.nav !== undefined)
  // The longest path that fits: `/resources/-/v1/nodes` is Nodes, not All kinds.
  const here = pages
    .filter((page) => location === page.path || location.startsWith(`${page.path}/`))
    .sort((left, right) => right.path.length - left.path.length)[0]
  return (
    <nav aria-label={t('frame.nav')} className="min-h-0 flex-1 overflow-y-auto px-3 pb-3">
      {sections.map((section) => {
        const members = pages.filter((page) => page.nav?.section === section).sort((left, right) => (left.nav?.order ?? 0) - (right.nav?.order ?? 0))
        if (members.length === 0) return undefined
        return (
          <div key={section} className="pt-3">
            <h2 className="px-2.5 pb-1 text-[11px] font-semibold text-rail-muted">{t(`section.${section}`)}</h2>
            <ul>
              {members.map((page) => (
                <li key={page.path}>
                  <NavLink page={page} isHere={page === here} />
                </li>
              ))}
            </ul>
          </div>
        )
      })}
    </nav>
  )
}

function NavLink({ page, isHere }: { readonly page: PageDefinition; readonly isHere: boolean }) {
  const { t } = useTranslation('kit')
  const Glyph = page.nav?.icon
  return (
    <Link
      href={page.path + scopeQuery()}
      aria-current={isHere ? 'page' : undefined}
      className={classNames(
        'relative flex h-8 items-center gap-2.5 rounded-md px-2.5 text-sm',
        isHere
          ? 'bg-rail-active font-medium text-rail-ink before:absolute before:inset-y-1.5 before:-left-3 before:w-[3px] before:rounded-r before:bg-brand'
          : 'text-rail-text hover:bg-rail-hover hover:text-rail-ink',
      )}
    >
      {Glyph !== undefined && <Glyph aria-hidden className="size-4 shrink-0 opacity-80" />}
      <span className="truncate">{t(page.title)}</span>
    </Link>
  )
}

function UserBar() {
  const { t } = useTranslation('kit')
  const { features, user, signOut } = useConsole()
  const [, navigate] = useLocation()
  const shown = user.displayName ?? user.username
  return (
    <div className="flex items-center gap-1 border-t border-rail-line p-2">
      <Menu
        align="start"
        trigger={
          <button
            type="button"
            aria-label={t('user.menu', { name: shown })}
            className="flex h-8 min-w-0 flex-1 cursor-pointer items-center gap-2 rounded-md px-2 text-sm hover:bg-rail-hover"
          >
            <UserIcon aria-hidden className="size-4 shrink-0 opacity-80" />
            <span className="truncate">{shown}</span>
          </button>
        }
      >
        <MenuLabel>{user.roles.length === 0 ? user.username : `${user.username} · ${user.roles.join(', ')}`}</MenuLabel>
        <MenuSeparator />
        {features
          .flatMap(({ pages }) => pages)
          .filter(({ userMenu }) => userMenu !== undefined)
          .map(({ path, title, userMenu }) => (
            <MenuItem key={path} icon={userMenu} onSelect={() => navigate(path)}>
              {t(title)}
            </MenuItem>
          ))}
        <MenuItem icon={SignOutIcon} onSelect={signOut}>
          {t('user.signOut')}
        </MenuItem>
      </Menu>
      <Preferences className="text-rail-muted hover:bg-rail-hover hover:text-rail-ink" />
    </div>
  )
}

/** Language and theme; also on the sign-in page, before anyone is known. */
export function Preferences({ className }: { readonly className?: string }) {
  const { t } = useTranslation('kit')
  const { choice } = useTheme()
  const ThemeGlyph = choice === 'dark' ? DarkThemeIcon : choice === 'light' ? LightThemeIcon : SystemThemeIcon
  return (
    <>
      <Menu trigger={<IconButton icon={LanguageIcon} label={t('language.label')} className={className} />}>
        <MenuLabel>{t('language.label')}</MenuLabel>
        <MenuChoice
          value={currentLanguage()}
          onChange={changeLanguage}
          options={[
            { value: 'en', label: 'English' },
            { value: 'zh', label: '简体中文' },
          ]}
        />
      </Menu>
      <Menu trigger={<IconButton icon={ThemeGlyph} label={t('theme.label')} className={className} />}>
        <MenuLabel>{t('theme.label')}</MenuLabel>
        <MenuChoice
          value={choice}
          onChange={chooseTheme}
          options={[
            { value: 'system', label: t('theme.system'), icon: SystemThemeIcon },
            { value: 'light', label: t('theme.light'), icon: LightThemeIcon },
            { value: 'dark', label: t('theme.dark'), icon: DarkThemeIcon },
          ]}
        />
      </Menu>
    </>
  )
}
