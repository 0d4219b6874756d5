import { lazily, type ConsoleFeature } from '@gantry/console-kit'
import { SearchIcon } from '@gantry/console-kit/icons'
import { fleetStrings } from './strings.ts'

const SearchPage = lazily(async () => (await import('./search-page.tsx')).SearchPage)

export const fleetConsole: ConsoleFeature = {
  name: 'fleet',
  strings: fleetStrings,
  pages: [{ path: '/search', title: 'fleet:title', nav: { section: 'fleet', order: 20, icon: SearchIcon }, component: SearchPage }],
}
