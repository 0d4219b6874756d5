import type { ResourceType } from '@gantry/console-kit'

interface PlatformKind {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
}

/** How the console names a kind of the platform. */
export function typeOf({ group, version, plural, kind }: PlatformKind): ResourceType {
  return { group, version, plural, kind, namespaced: false }
}
