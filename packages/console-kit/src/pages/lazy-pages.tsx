import { lazily } from '../ui/lazy-page.tsx'

// What needs the YAML parser comes with it, when it is opened.
export const CreatePage = lazily(async () => (await import('./create-page.tsx')).CreatePage)
export const YamlTab = lazily(async () => (await import('./yaml-tab.tsx')).YamlTab)
