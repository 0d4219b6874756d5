import type { AdmissionPlugin } from '@gantry/apiserver'
import type { Pod } from '../generated/types.ts'
import { as } from '../kind.ts'
import { isAboutPods } from './admitted-resource.ts'

const graceSeconds = 300
const taints = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const

/** Pods tolerate a node's silence for five minutes before they are moved (M3). */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  mutate(request) {
    if (!isAboutPods(request) || request.object === undefined) return
    const { spec } = as<Pod>(request.object)
    const tolerations = spec.tolerations ?? []
    for (const key of taints) {
      const covered = tolerations.some(
        (toleration) =>
          ((toleration.key ?? '') === '' || toleration.key === key) &&
          (toleration.effect === undefined || toleration.effect === '' || toleration.effect === 'NoExecute'),
      )
      if (!covered) tolerations.push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: graceSeconds })
    }
    spec.tolerations = tolerations
  },
}
