import { useLiveObjects, type ApiError, type Fleet, type LiveObjects } from '@gantry/console-kit'
import { useMemo } from 'react'
import type { Project, ProjectNamespace, Tenant } from '../api/index.ts'
import { namespaceType, projectType, tenantType } from './kinds.ts'

export interface Tenancy {
  readonly phase: 'loading' | 'ready' | 'error'
  readonly tenants: readonly Tenant[]
  readonly projects: readonly Project[]
  readonly error: ApiError | undefined
}

/** All tenants and projects that the caller sees, live. */
export function useTenancy(): Tenancy {
  const tenants = visible(useLiveObjects<Tenant>({ cluster: undefined, type: tenantType }))
  const projects = visible(useLiveObjects<Project>({ cluster: undefined, type: projectType }))
  const phases = [tenants.phase, projects.phase]
  return {
    phase: phases.includes('loading') ? 'loading' : phases.includes('error') ? 'error' : 'ready',
    tenants: tenants.objects,
    projects: projects.objects,
    error: tenants.error ?? projects.error,
  }
}

const forbidden = 403

/** Who may not list a kind at all sees none of it: that is no failure. It is asked again from time to time, so what is given later shows by itself. */
export function visible<T>(live: LiveObjects<T>): LiveObjects<T> {
  return live.error?.code === forbidden ? { phase: 'ready', objects: [], error: undefined } : live
}

/** For who may not see the clusters themselves: those in which their projects have namespaces. Nothing is asked for while it is not wanted. */
export function useProjectFleet(isWanted: boolean): Fleet {
  const { phase, objects } = visible(useLiveObjects<ProjectNamespace>(isWanted ? { cluster: undefined, type: namespaceType } : undefined))
  const names = [...new Set(objects.filter(({ status }) => status?.clusterUID !== undefined).map(({ spec }) => spec.cluster))].sort().join(' ')
  return useMemo(() => {
    const members = names === '' ? [] : names.split(' ')
    return {
      phase,
      members: members.map((name) => ({ name, displayName: name, status: { text: 'Unknown', textKey: 'tenancy:state.NotShown', tone: 'neutral' } })),
    }
  }, [phase, names])
}
