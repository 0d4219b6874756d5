import type { LabelSelector, MetricSpec, MetricStatus } from '../generated/types.ts'

// Metrics as autoscaling/v1 writes them into its annotations. The order of fields is the one that upstream writes.

interface Reference {
  readonly kind: string
  readonly name: string
  readonly apiVersion?: string | undefined
}

interface SourceV1 {
  readonly target?: Reference
  readonly name?: string
  readonly metricName?: string
  readonly metricSelector?: LabelSelector | undefined
  readonly selector?: LabelSelector | undefined
  readonly targetValue?: string | undefined
  readonly averageValue?: string | undefined
  readonly targetAverageUtilization?: number | undefined
  readonly targetAverageValue?: string | undefined
  readonly currentValue?: string | undefined
  readonly currentAverageUtilization?: number | undefined
  readonly currentAverageValue?: string | undefined
  readonly container?: string
}

/** A metric or its status, under v1's names. */
export interface MetricV1 {
  readonly type: string
  readonly object?: SourceV1 | undefined
  readonly pods?: SourceV1 | undefined
  readonly resource?: SourceV1 | undefined
  readonly containerResource?: SourceV1 | undefined
  readonly external?: SourceV1 | undefined
}

export function metricToV1({ type, object, pods, resource, containerResource, external }: MetricSpec): MetricV1 {
  return {
    type,
    object: object && {
      target: reference(object.describedObject),
      metricName: object.metric.name,
      targetValue: object.target.value ?? '0',
      selector: object.metric.selector,
      averageValue: object.target.averageValue,
    },
    pods: pods && { metricName: pods.metric.name, targetAverageValue: pods.target.averageValue ?? '0', selector: pods.metric.selector },
    resource: resource && {
      name: resource.name,
      targetAverageUtilization: resource.target.averageUtilization,
      targetAverageValue: resource.target.averageValue,
    },
    containerResource: containerResource && {
      name: containerResource.name,
      targetAverageUtilization: containerResource.target.averageUtilization,
      targetAverageValue: containerResource.target.averageValue,
      container: containerResource.container,
    },
    external: external && {
      metricName: external.metric.name,
      metricSelector: external.metric.selector,
      targetValue: external.target.value,
      targetAverageValue: external.target.averageValue,
    },
  }
}

export function metricFromV1({ type, object, pods, resource, containerResource, external }: MetricV1): MetricSpec {
  const ofResource = (source: SourceV1): { type: string; averageValue: string | undefined; averageUtilization: number | undefined } => ({
    type: source.targetAverageUtilization === undefined ? 'AverageValue' : 'Utilization',
    averageValue: source.targetAverageValue,
    averageUtilization: source.targetAverageUtilization,
  })
  return {
    type,
    object: object && {
      describedObject: object.target ?? { kind: '', name: '' },
      target:
        object.averageValue === undefined
          ? { type: 'Value', value: object.targetValue ?? '0' }
          : { type: 'AverageValue', value: isZero(object.targetValue) ? undefined : object.targetValue, averageValue: object.averageValue },
      metric: { name: object.metricName ?? '', selector: object.selector },
    },
    pods: pods && {
      metric: { name: pods.metricName ?? '', selector: pods.selector },
      target: { type: 'AverageValue', averageValue: pods.targetAverageValue ?? '0' },
    },
    resource: resource && { name: resource.name ?? '', target: ofResource(resource) },
    containerResource: containerResource && {
      name: containerResource.name ?? '',
      target: ofResource(containerResource),
      container: containerResource.container ?? '',
    },
    external: external && {
      metric: { name: external.metricName ?? '', selector: external.metricSelector },
      target: { type: external.targetValue === undefined ? 'AverageValue' : 'Value', value: external.targetValue, averageValue: external.targetAverageValue },
    },
  }
}

export function currentToV1({ type, object, pods, resource, containerResource, external }: MetricStatus): MetricV1 {
  return {
    type,
    object: object && {
      target: reference(object.describedObject),
      metricName: object.metric.name,
      currentValue: object.current.value ?? '0',
      selector: object.metric.selector,
      averageValue: object.current.averageValue,
    },
    pods: pods && { metricName: pods.metric.name, currentAverageValue: pods.current.averageValue ?? '0', selector: pods.metric.selector },
    resource: resource && {
      name: resource.name,
      currentAverageUtilization: resource.current.averageUtilization,
      currentAverageValue: resource.current.averageValue ?? '0',
    },
    containerResource: containerResource && {
      name: containerResource.name,
      currentAverageUtilization: containerResource.current.averageUtilization,
      currentAverageValue: containerResource.current.averageValue ?? '0',
      container: containerResource.container,
    },
    external: external && {
      metricName: external.metric.name,
      metricSelector: external.metric.selector,
      currentValue: external.current.value ?? '0',
      currentAverageValue: external.current.averageValue,
    },
  }
}

export function currentFromV1({ type, object, pods, resource, containerResource, external }: MetricV1): MetricStatus {
  const ofResource = (source: SourceV1): { averageValue: string; averageUtilization: number | undefined } => ({
    averageValue: source.currentAverageValue ?? '0',
    averageUtilization: source.currentAverageUtilization,
  })
  return {
    type,
    object: object && {
      metric: { name: object.metricName ?? '', selector: object.selector },
      current: { value: object.currentValue ?? '0', averageValue: object.averageValue },
      describedObject: object.target ?? { kind: '', name: '' },
    },
    pods: pods && { metric: { name: pods.metricName ?? '', selector: pods.selector }, current: { averageValue: pods.currentAverageValue ?? '0' } },
    resource: resource && { name: resource.name ?? '', current: ofResource(resource) },
    containerResource: containerResource && {
      name: containerResource.name ?? '',
      current: ofResource(containerResource),
      container: containerResource.container ?? '',
    },
    external: external && {
      metric: { name: external.metricName ?? '', selector: external.metricSelector },
      current: { value: external.currentValue ?? '0', averageValue: external.currentAverageValue },
    },
  }
}

function reference({ kind, name, apiVersion }: Reference): Reference {
  return { kind, name, apiVersion }
}

function isZero(amount: string | undefined): boolean {
  return amount === undefined || amount === '0'
}
