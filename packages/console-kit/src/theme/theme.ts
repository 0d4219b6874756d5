import { useSyncExternalStore } from 'react'
import { remember, remembered } from './remembered.ts'

export type ThemeChoice = 'system' | 'light' | 'dark'

/** `apps/console/public/theme.js` reads the same key before the first paint. */
const storageKey = 'gantry.theme'
const listeners = new Set<() => void>()
const systemDark = (): MediaQueryList => matchMedia('(prefers-color-scheme: dark)')

export function themeChoice(): ThemeChoice {
  const saved = remembered(storageKey)
  return saved === 'light' || saved === 'dark' ? saved : 'system'
}

function effectiveTheme(): 'light' | 'dark' {
  const choice = themeChoice()
  if (choice !== 'system') return choice
  return systemDark().matches ? 'dark' : 'light'
}

export function chooseTheme(choice: ThemeChoice): void {
  remember(storageKey, choice === 'system' ? undefined : choice)
  apply()
}

function apply(): void {
  document.documentElement.dataset['theme'] = effectiveTheme()
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) systemDark().addEventListener('change', apply)
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) systemDark().removeEventListener('change', apply)
  }
}

export function useTheme(): { readonly choice: ThemeChoice; readonly effective: 'light' | 'dark' } {
  const choice = useSyncExternalStore(subscribe, themeChoice)
  const effective = useSyncExternalStore(subscribe, effectiveTheme)
  return { choice, effective }
}
