import type { ApiObject } from '@gantry/apiserver'
import type {
  AutoscalingV1HorizontalPodAutoscaler,
  HPAScalingPolicy,
  HPAScalingRules,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerBehavior,
  HorizontalPodAutoscalerCondition,
  HorizontalPodAutoscalerSpec,
  HorizontalPodAutoscalerStatus,
  MetricSpec,
  MetricStatus,
} from '../generated/types.ts'
import { as, viewOf } from '../kind.ts'
import { defaultMetric, horizontalPodAutoscaler } from './horizontal-pod-autoscaler.ts'
import { currentFromV1, currentToV1, metricFromV1, metricToV1 } from './metrics-v1.ts'
import type { MetricV1 } from './metrics-v1.ts'
import { roundTrip, withoutRoundTripAnnotations } from './round-trip-annotations.ts'

/** autoscaling/v1: it knows only the utilization of CPU, and carries the rest of v2 in annotations. Upstream: pkg/apis/autoscaling/v1/conversion.go. */
export const horizontalPodAutoscalerV1 = viewOf({
  kind: horizontalPodAutoscaler,
  group: 'autoscaling',
  version: 'v1',
  type: 'io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler',
  groupPriority: 17500,
  versionPriority: 15,
  applyDefaults(object) {
    const { spec } = as<AutoscalingV1HorizontalPodAutoscaler>(object)
    if (spec !== undefined) spec.minReplicas ??= 1
  },
  fromStored,
  toStored,
})

type V2 = HorizontalPodAutoscaler

function fromStored(object: ApiObject): ApiObject {
  const { spec, status } = as<V2>(object)
  const metrics = spec?.metrics ?? []
  const others = metrics.filter((metric) => !isCpuUtilization(metric)).map(metricToV1)
  const current = (status?.currentMetrics ?? []).map(currentToV1)
  const carried = {
    ...(others.length > 0 && { [roundTrip.metrics]: JSON.stringify(others) }),
    ...(current.length > 0 && { [roundTrip.currentMetrics]: JSON.stringify(current) }),
    ...(spec?.behavior !== undefined && { [roundTrip.behavior]: JSON.stringify(behaviorText(spec.behavior)) }),
    ...((status?.conditions ?? []).length > 0 && { [roundTrip.conditions]: JSON.stringify((status?.conditions ?? []).map(conditionText)) }),
  }
  const utilization = metrics.find(isCpuUtilization)?.resource?.target.averageUtilization
  const usage = status?.currentMetrics?.findLast(
    ({ type, resource }) => type === 'Resource' && resource?.name === 'cpu' && resource.current.averageUtilization !== undefined,
  )
  return {
    ...object,
    metadata: withAnnotations(object, carried),
    ...(spec !== undefined && {
      spec: {
        scaleTargetRef: spec.scaleTargetRef,
        ...(spec.minReplicas !== undefined && { minReplicas: spec.minReplicas }),
        maxReplicas: spec.maxReplicas,
        ...(utilization !== undefined && { targetCPUUtilizationPercentage: utilization }),
      },
    }),
    status: {
      ...(status?.observedGeneration !== undefined && { observedGeneration: status.observedGeneration }),
      ...(status?.lastScaleTime !== undefined && { lastScaleTime: status.lastScaleTime }),
      currentReplicas: status?.currentReplicas ?? 0,
      desiredReplicas: status?.desiredReplicas ?? 0,
      ...(usage !== undefined && { currentCPUUtilizationPercentage: usage.resource?.current.averageUtilization }),
    },
  }
}

function toStored(object: ApiObject): ApiObject {
  const { metadata, spec, status } = as<AutoscalingV1HorizontalPodAutoscaler>(object)
  const annotations = metadata.annotations ?? {}
  const utilization = spec?.targetCPUUtilizationPercentage
  const metrics: MetricSpec[] = [
    ...parsedList<MetricV1>(annotations[roundTrip.metrics]).map(metricFromV1),
    ...(utilization === undefined ? [] : [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: utilization } } }]),
  ]
  const behavior = parsedBehavior(annotations[roundTrip.behavior])
  const storedSpec: HorizontalPodAutoscalerSpec | undefined = spec && {
    scaleTargetRef: spec.scaleTargetRef,
    minReplicas: spec.minReplicas,
    maxReplicas: spec.maxReplicas,
    metrics: metrics.length === 0 ? [defaultMetric()] : metrics,
    behavior,
  }
  const usage = status?.currentCPUUtilizationPercentage
  const current: MetricStatus[] =
    annotations[roundTrip.currentMetrics] !== undefined
      ? parsedList<MetricV1>(annotations[roundTrip.currentMetrics]).map(currentFromV1)
      : usage === undefined
        ? []
        : [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: usage } } }]
  const conditions = parsedList<HorizontalPodAutoscalerCondition>(annotations[roundTrip.conditions])
  const storedStatus: HorizontalPodAutoscalerStatus = {
    observedGeneration: status?.observedGeneration,
    lastScaleTime: status?.lastScaleTime,
    currentReplicas: status?.currentReplicas ?? 0,
    desiredReplicas: status?.desiredReplicas ?? 0,
    currentMetrics: current.length === 0 ? undefined : current,
    conditions: conditions.length === 0 ? undefined : conditions,
  }
  return { ...object, metadata: withAnnotations(object, {}), ...(storedSpec !== undefined && { spec: storedSpec }), status: storedStatus }
}

function withAnnotations(object: ApiObject, carried: Readonly<Record<string, string>>): ApiObject['metadata'] {
  const { annotations: given, ...metadata } = object.metadata
  const annotations = { ...withoutRoundTripAnnotations(given ?? {}), ...carried }
  if (Object.keys(annotations).length === 0) return metadata as ApiObject['metadata']
  return { ...metadata, annotations: Object.fromEntries(Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1))) } as ApiObject['metadata']
}

function isCpuUtilization({ type, resource }: MetricSpec): boolean {
  return type === 'Resource' && resource?.name === 'cpu' && resource.target.averageUtilization !== undefined
}

function conditionText({ type, status, lastTransitionTime, reason, message }: HorizontalPodAutoscalerCondition): object {
  return { type, status, lastTransitionTime: lastTransitionTime ?? null, reason, message }
}

// The behavior is carried as Go writes a struct without JSON names.
function behaviorText({ scaleUp, scaleDown }: HorizontalPodAutoscalerBehavior): object {
  return { ScaleUp: rulesText(scaleUp), ScaleDown: rulesText(scaleDown) }
}

function rulesText(rules: HPAScalingRules | undefined): object | null {
  if (rules === undefined) return null
  return {
    StabilizationWindowSeconds: rules.stabilizationWindowSeconds ?? null,
    SelectPolicy: rules.selectPolicy ?? null,
    Policies: rules.policies?.map(({ type, value, periodSeconds }) => ({ Type: type, Value: value, PeriodSeconds: periodSeconds })) ?? null,
    Tolerance: rules.tolerance ?? null,
  }
}

function parsedBehavior(text: string | undefined): HorizontalPodAutoscalerBehavior | undefined {
  const { scaleup, scaledown } = withLowerCaseNames(parsed(text))
  if (!isRecord(scaleup) && !isRecord(scaledown)) return undefined
  return { scaleUp: parsedRules(scaleup), scaleDown: parsedRules(scaledown) }
}

function parsedRules(value: unknown): HPAScalingRules | undefined {
  if (!isRecord(value)) return undefined
  const { stabilizationwindowseconds, selectpolicy, policies, tolerance } = withLowerCaseNames(value)
  return {
    stabilizationWindowSeconds: orAbsent<number>(stabilizationwindowseconds),
    selectPolicy: orAbsent<string>(selectpolicy),
    policies: Array.isArray(policies)
      ? policies.map((policy): HPAScalingPolicy => {
          const { type, value: amount, periodseconds } = withLowerCaseNames(policy)
          return { type: type as string, value: amount as number, periodSeconds: periodseconds as number }
        })
      : undefined,
    tolerance: orAbsent<string>(tolerance),
  }
}

function orAbsent<T>(value: unknown): T | undefined {
  return value === null ? undefined : (value as T | undefined)
}

/** Go reads names without regard to case. */
function withLowerCaseNames(value: unknown): Record<string, unknown> {
  return isRecord(value) ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name.toLowerCase(), inner])) : {}
}

/** The objects of an annotation's list; one that does not parse says nothing, as upstream. */
function parsedList<T>(text: string | undefined): T[] {
  const value = parsed(text)
  return Array.isArray(value) && value.every(isPlausible) ? (value as T[]) : []
}

/** Metrics and conditions are objects of texts and objects: with anything else Go parses none of the list. */
function isPlausible(item: unknown): boolean {
  return isRecord(item) && Object.values(item).every((value) => typeof value === 'string' || value === null || isRecord(value))
}

function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
