import type { Deployment } from '@gantry/kube-api'

/** How many pods above and below the wanted number a rolling update may make. Upstream: deployment_util.go ResolveFenceposts. */
export function rolloutLimits(deployment: Deployment): { readonly maxSurge: number; readonly maxUnavailable: number } {
  const replicas = deployment.spec.replicas ?? 1
  const { maxSurge, maxUnavailable } = deployment.spec.strategy?.rollingUpdate ?? {}
  const surge = resolve(maxSurge ?? '25%', replicas, Math.ceil)
  const unavailable = resolve(maxUnavailable ?? '25%', replicas, Math.floor)
  // Both may round down to 0; then nothing could ever move.
  return surge === 0 && unavailable === 0 ? { maxSurge: 0, maxUnavailable: 1 } : { maxSurge: surge, maxUnavailable: unavailable }
}

export function isRollingUpdate(deployment: Deployment): boolean {
  return (deployment.spec.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate'
}

export function maxSurgeOf(deployment: Deployment): number {
  return isRollingUpdate(deployment) ? rolloutLimits(deployment).maxSurge : 0
}

export function maxUnavailableOf(deployment: Deployment): number {
  const replicas = deployment.spec.replicas ?? 1
  return !isRollingUpdate(deployment) || replicas === 0 ? 0 : Math.min(rolloutLimits(deployment).maxUnavailable, replicas)
}

function resolve(value: number | string, total: number, round: (value: number) => number): number {
  if (typeof value === 'number') return value
  const percent = /^(\d+)%$/.exec(value)
  return percent === null ? 0 : round((Number(percent[1]) * total) / 100)
}
