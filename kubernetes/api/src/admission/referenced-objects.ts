import type { PodSpec } from '../generated/types.ts'

/** Whether a pod is given the content of any Secret. Upstream: pkg/api/pod VisitPodSecretNames. */
export function referencesSecrets(spec: PodSpec): boolean {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])]
  return (
    (spec.imagePullSecrets ?? []).length > 0 ||
    containers.some(
      ({ env = [], envFrom = [] }) =>
        env.some((variable) => variable.valueFrom?.secretKeyRef !== undefined) || envFrom.some((source) => source.secretRef !== undefined),
    ) ||
    (spec.volumes ?? []).some(
      (volume) =>
        volume.secret !== undefined ||
        volume.csi?.nodePublishSecretRef !== undefined ||
        (volume.azureFile?.secretName ?? '') !== '' ||
        (volume.projected?.sources ?? []).some((source) => source.secret !== undefined) ||
        [volume.cephfs, volume.cinder, volume.flexVolume, volume.rbd, volume.scaleIO, volume.iscsi, volume.storageos].some(
          (source) => source?.secretRef !== undefined,
        ),
    )
  )
}

/** Whether a pod is given the content of any ConfigMap. */
export function referencesConfigMaps(spec: PodSpec): boolean {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])]
  return (
    containers.some(
      ({ env = [], envFrom = [] }) =>
        env.some((variable) => variable.valueFrom?.configMapKeyRef !== undefined) || envFrom.some((source) => source.configMapRef !== undefined),
    ) ||
    (spec.volumes ?? []).some((volume) => volume.configMap !== undefined || (volume.projected?.sources ?? []).some((source) => source.configMap !== undefined))
  )
}
