import type { BuiltinKind } from '../kind.ts'
import { horizontalPodAutoscalerV1 } from './horizontal-pod-autoscaler-v1.ts'
import { horizontalPodAutoscaler } from './horizontal-pod-autoscaler.ts'

/** The kinds of `autoscaling`. */
export const autoscalingKinds: readonly BuiltinKind[] = [horizontalPodAutoscaler, horizontalPodAutoscalerV1]
