import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import { remember, remembered } from '../theme/remembered.ts'
import { kitStrings } from './kit-strings.ts'
import type { Catalogue, Language } from './strings.ts'

const storageKey = 'gantry.language'

export function currentLanguage(): Language {
  return i18next.language === 'zh' ? 'zh' : 'en'
}

export function changeLanguage(language: Language): void {
  remember(storageKey, language)
  void i18next.changeLanguage(language)
}

/** Loads every catalogue and takes the remembered language, else the browser's. */
export async function startI18n(catalogues: Readonly<Record<string, Catalogue>>): Promise<void> {
  const all: Readonly<Record<string, Catalogue>> = { kit: kitStrings, ...catalogues }
  const of = (language: Language): Record<string, object> => Object.fromEntries(Object.entries(all).map(([name, catalogue]) => [name, catalogue[language]]))
  const saved = remembered(storageKey)
  const preferred: Language = navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
  i18next.on('languageChanged', (language) => {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
  })
  await i18next.use(initReactI18next).init({
    lng: saved === 'en' || saved === 'zh' ? saved : preferred,
    fallbackLng: 'en',
    resources: { en: of('en'), zh: of('zh') },
    defaultNS: 'kit',
    interpolation: { escapeValue: false },
  })
}
