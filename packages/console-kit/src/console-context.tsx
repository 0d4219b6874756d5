import { createContext, use } from 'react'
import type { ResourceType } from './api/kube-object.ts'
import type { ConsoleFeature, Fleet, KindDefinition } from './definitions.ts'

export interface SignedIn {
  readonly username: string
  readonly displayName?: string | undefined
  readonly roles: readonly string[]
}

/** What the app handed in: the features, who is signed in, and the kinds the frame itself must know by name. */
export interface ConsoleContextValue {
  readonly features: readonly ConsoleFeature[]
  readonly fleet: Fleet
  readonly user: SignedIn
  readonly signOut: () => void
  /** The kind whose objects the namespace picker offers. */
  readonly namespaceType: ResourceType
}

export const ConsoleContext = createContext<ConsoleContextValue | undefined>(undefined)

export function useConsole(): ConsoleContextValue {
  const value = use(ConsoleContext)
  if (value === undefined) throw new Error('useConsole outside of ConsoleContext')
  return value
}

export function useKind(type: Pick<ResourceType, 'group' | 'plural'>): KindDefinition | undefined {
  return findKindDefinition(useConsole().features, type)
}

export function findKindDefinition(features: readonly ConsoleFeature[], type: Pick<ResourceType, 'group' | 'plural'>): KindDefinition | undefined {
  for (const feature of features) {
    const kind = feature.kinds?.find((candidate) => candidate.type.group === type.group && candidate.type.plural === type.plural)
    if (kind !== undefined) return kind
  }
  return undefined
}
