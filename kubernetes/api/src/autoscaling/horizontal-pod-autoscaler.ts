import type { ApiObject } from '@gantry/apiserver'
import { fieldInvalid } from '@gantry/apimachinery'
import type { HPAScalingRules, HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { validateAutoscaler } from './autoscaler-validation.ts'
import { withoutRoundTripAnnotations } from './round-trip-annotations.ts'

/** autoscaling/v2, the version that is stored. */
export const horizontalPodAutoscaler: BuiltinKind = {
  group: 'autoscaling',
  version: 'v2',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  shortNames: ['hpa'],
  categories: ['all'],
  namespaced: true,
  type: 'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler',
  groupPriority: 17500,
  versionPriority: 30,
  hasStatus: true,
  allowUnconditionalUpdate: true,
  columns: [
    nameCell,
    column<HorizontalPodAutoscaler>('Reference', ({ spec }) => `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`, { description: 'What it scales.' }),
    column<HorizontalPodAutoscaler>('Targets', ({ spec, status }) => formatMetrics(spec.metrics ?? [], status?.currentMetrics ?? []), {
      description: 'What it aims at, behind what there is.',
    }),
    column<HorizontalPodAutoscaler>('MinPods', ({ spec }) => (spec.minReplicas === undefined ? '<unset>' : String(spec.minReplicas)), {
      description: 'Fewest pods.',
    }),
    column<HorizontalPodAutoscaler>('MaxPods', ({ spec }) => spec.maxReplicas, { description: 'Most pods.' }),
    column<HorizontalPodAutoscaler>('Replicas', ({ status }) => status?.currentReplicas ?? 0, { description: 'Pods there are.' }),
    ageCell,
  ],
  applyDefaults(object) {
    dropRoundTripAnnotations(object)
    const { spec } = as<HorizontalPodAutoscaler>(object)
    if (spec === undefined) return
    spec.minReplicas ??= 1
    if ((spec.metrics ?? []).length === 0) spec.metrics = [defaultMetric()]
    if (spec.behavior === undefined) return
    spec.behavior.scaleUp = { ...scaleUpDefaults(), ...given(spec.behavior.scaleUp) }
    spec.behavior.scaleDown = { ...scaleDownDefaults(), ...given(spec.behavior.scaleDown) }
  },
  prepareForCreate: (object) => noStatus(object),
  validate: (object, old) =>
    validateAutoscaler(as<HorizontalPodAutoscaler>(object).spec, old === undefined ? undefined : as<HorizontalPodAutoscaler>(old).spec),
  validateStatusUpdate(object) {
    const { status } = as<HorizontalPodAutoscaler>(object)
    return (['currentReplicas', 'desiredReplicas'] as const)
      .filter((field) => (status?.[field] ?? 0) < 0)
      .map((field) => fieldInvalid(`status.${field}`, status?.[field], 'must be greater than or equal to 0'))
  },
}

function noStatus(object: ApiObject): void {
  object['status'] = { desiredReplicas: 0 }
}

/** The annotations in which v1 carries what it has no fields for mean nothing in v2. */
function dropRoundTripAnnotations(object: ApiObject): void {
  const { annotations } = object.metadata
  if (annotations !== undefined) object.metadata.annotations = withoutRoundTripAnnotations(annotations)
}

/** What an autoscaler without metrics scales by. */
export function defaultMetric(): MetricSpec {
  return { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }
}

// Upstream: pkg/apis/autoscaling/v2/defaults.go.
function scaleUpDefaults(): HPAScalingRules {
  return {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
  }
}

function scaleDownDefaults(): HPAScalingRules {
  return { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] }
}

/** The rules that are there: an absent one leaves the default. */
function given(rules: HPAScalingRules | undefined): Partial<HPAScalingRules> {
  return Object.fromEntries(Object.entries(rules ?? {}).filter(([, value]) => value !== undefined))
}

const shownMetrics = 2
const unknown = '<unknown>'

/** `cpu: 10%/80%, memory: <unknown>/1Gi + 2 more...`. */
function formatMetrics(metrics: readonly MetricSpec[], statuses: readonly MetricStatus[]): string {
  if (metrics.length === 0) return '<none>'
  const shown = metrics.slice(0, shownMetrics).map((metric, index) => formatMetric(metric, statuses[index]))
  const more = metrics.length > shownMetrics ? ` + ${metrics.length - shownMetrics} more...` : ''
  return `${shown.join(', ')}${more}`
}

function formatMetric(metric: MetricSpec, status: MetricStatus | undefined): string {
  switch (metric.type) {
    case 'External':
      return formatValue(metric.external?.target, status?.external?.current)
    case 'Object':
      return formatValue(metric.object?.target, status?.object?.current)
    case 'Pods':
      return `${status?.pods?.current.averageValue ?? unknown}/${metric.pods?.target.averageValue ?? ''}`
    case 'Resource':
      return `${metric.resource?.name ?? ''}: ${formatResource(metric.resource?.target, status?.resource?.current)}`
    case 'ContainerResource':
      return `${metric.containerResource?.name ?? ''}: ${formatResource(metric.containerResource?.target, status?.containerResource?.current)}`
    default:
      return '<unknown type>'
  }
}

function formatValue(target: MetricTarget | undefined, current: MetricValueStatus | undefined): string {
  return target?.averageValue === undefined
    ? `${current?.value ?? unknown}/${target?.value ?? ''}`
    : `${current?.averageValue ?? unknown}/${target.averageValue} (avg)`
}

function formatResource(target: MetricTarget | undefined, current: MetricValueStatus | undefined): string {
  if (target?.averageValue !== undefined) return `${current?.averageValue ?? unknown}/${target.averageValue}`
  const percent = (value: number | undefined, otherwise: string): string => (value === undefined ? otherwise : `${value}%`)
  return `${percent(current?.averageUtilization, unknown)}/${percent(target?.averageUtilization, '<auto>')}`
}
