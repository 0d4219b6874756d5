import { StatusError } from '@gantry/apimachinery'
import type { ContainerStatus, PodStatus } from '../pod/pod.ts'

/** Which container's log is meant, by its runtime id, or why there is none to read. Upstream: kubelet_pods.go validateContainerLogStatus. */
export function logTargetOf(status: PodStatus, options: { readonly pod: string; readonly container: string; readonly previous: boolean }): string {
  const { pod, container, previous } = options
  const all = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? []), ...(status.ephemeralContainerStatuses ?? [])]
  const found = all.find(({ name }) => name === container)
  const where = `container "${container}" in pod "${pod}"`
  if (found === undefined) throw new StatusError('BadRequest', `container ${container} is not valid for pod ${pod}`)
  const last = found.lastState?.terminated?.containerID
  if (previous) {
    if (last === undefined) throw new StatusError('BadRequest', `previous terminated ${where} not found`)
    return idOf(last)
  }
  const { state } = found
  if (state?.running !== undefined && found.containerID !== undefined) return idOf(found.containerID)
  if (state?.terminated !== undefined) {
    const own = state.terminated.containerID ?? last
    if (own === undefined) throw new StatusError('BadRequest', `${where} is terminated`)
    return idOf(own)
  }
  if (last !== undefined) return idOf(last)
  throw new StatusError('BadRequest', `${where} is waiting to start: ${waitingText(found)}`)
}

function waitingText(status: ContainerStatus): string {
  const reason = status.state?.waiting?.reason ?? ''
  if (reason === 'ErrImagePull') return "image can't be pulled"
  if (reason === 'ImagePullBackOff') return 'trying and failing to pull image'
  return reason
}

function idOf(containerID: string): string {
  return containerID.slice(containerID.indexOf('://') + 3)
}
