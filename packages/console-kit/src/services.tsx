import { createContext, use } from 'react'
import type { ConsoleApi } from './api/console-api.ts'
import type { KubeClient } from './api/kube-client.ts'
import type { LiveRegistry } from './live/live-registry.ts'

/** What pages work with; built once by the app. */
export interface ConsoleServices {
  readonly api: ConsoleApi
  readonly client: KubeClient
  readonly registry: LiveRegistry
}

export const ServicesContext = createContext<ConsoleServices | undefined>(undefined)

export function useServices(): ConsoleServices {
  const services = use(ServicesContext)
  if (services === undefined) throw new Error('useServices outside of ServicesContext')
  return services
}
