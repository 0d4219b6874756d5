import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import { defaultsRowOf, rulesRowOf } from '../rows.ts'
import type { Json } from '../src/json.ts'
import type { Answer } from '../src/target.ts'

const selector = { matchLabels: { app: 'web' } }
const podSpec = { containers: [{ name: 'c', image: 'registry.example.com/app:1' }] }
const template = { metadata: { labels: { app: 'web' } }, spec: podSpec }
const workload = { selector, template }
const jobPodSpec = { ...podSpec, restartPolicy: 'Never' }
const jobSpec = { template: { spec: jobPodSpec } }
const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }
const filledPodSpec = {
  containers: [
    {
      image: 'registry.example.com/app:1',
      imagePullPolicy: 'IfNotPresent',
      name: 'c',
      resources: {},
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
    },
  ],
  dnsPolicy: 'ClusterFirst',
  restartPolicy: 'Always',
  schedulerName: 'default-scheduler',
  securityContext: {},
  terminationGracePeriodSeconds: 30,
}
const filledTemplate = { metadata: { labels: { app: 'web' } }, spec: filledPodSpec }

interface KindCases {
  readonly kind: string
  /** Group, version and resource. */
  readonly collection: string
  readonly minimal: Json
  /** The minimal spec with its defaults. */
  readonly filled?: Json
  /** What is put into the minimal spec, and what is said to that: field and message of every cause, in order. */
  readonly refused: Readonly<Record<string, { readonly with: Json; readonly causes: readonly string[] }>>
}

const kinds: readonly KindCases[] = [
  {
    kind: 'Deployment',
    collection: 'apps/v1/deployments',
    minimal: workload,
    filled: {
      progressDeadlineSeconds: 600,
      replicas: 1,
      revisionHistoryLimit: 10,
      selector,
      strategy: { rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' }, type: 'RollingUpdate' },
      template: filledTemplate,
    },
    refused: {
      'nothing at all': {
        with: { selector: undefined, template: undefined },
        causes: [
          'spec.selector: Required value',
          'spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`',
          'spec.template.spec.containers: Required value',
        ],
      },
      'an empty selector': { with: { selector: {} }, causes: ['spec.selector: Invalid value: {}: empty selector is invalid for deployment'] },
      'a selector of others': {
        with: { selector: { matchLabels: { app: 'other' } } },
        causes: ['spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'],
      },
      'pods that end': {
        with: { template: { metadata: { labels: { app: 'web' } }, spec: { ...podSpec, restartPolicy: 'Never', activeDeadlineSeconds: 5 } } },
        causes: [
          'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
          'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported',
        ],
      },
      'negative numbers': {
        with: { replicas: -1, minReadySeconds: -1, revisionHistoryLimit: -1, progressDeadlineSeconds: -1 },
        causes: [
          'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
          'spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0',
          'spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0',
          'spec.progressDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0',
          'spec.progressDeadlineSeconds: Invalid value: -1: must be greater than minReadySeconds',
        ],
      },
      'a deadline before readiness': {
        with: { minReadySeconds: 5, progressDeadlineSeconds: 5 },
        causes: ['spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds'],
      },
      'an unknown strategy': {
        with: { strategy: { type: 'Other' } },
        causes: ['spec.strategy: Unsupported value: {"Type":"Other","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"'],
      },
      'Recreate with a rolling update': {
        with: { strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } },
        causes: ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
      },
      'nothing that may move': {
        with: { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } },
        causes: ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
      },
      'odd percentages': {
        with: { strategy: { rollingUpdate: { maxSurge: 'x', maxUnavailable: '200%' } } },
        causes: [
          "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"x\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
          'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "200%": must not be greater than 100%',
        ],
      },
    },
  },
  {
    kind: 'ReplicaSet',
    collection: 'apps/v1/replicasets',
    minimal: workload,
    filled: { replicas: 1, selector, template: filledTemplate },
    refused: {
      'nothing at all': {
        with: { selector: undefined, template: undefined },
        causes: [
          'spec.selector: Required value',
          'spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`',
          'spec.template.spec.containers: Required value',
        ],
      },
      'negative numbers': {
        with: { replicas: -1, minReadySeconds: -1 },
        causes: [
          'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
          'spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0',
        ],
      },
      'an unknown operator': {
        with: { selector: { matchExpressions: [{ key: 'a', operator: 'Other', values: ['x'] }] } },
        causes: [
          'spec.selector.matchExpressions[0].operator: Invalid value: "Other": not a valid selector operator',
          'spec.selector: Invalid value: {"matchExpressions":[{"key":"a","operator":"Other","values":["x"]}]}: invalid label selector',
        ],
      },
    },
  },
  {
    kind: 'DaemonSet',
    collection: 'apps/v1/daemonsets',
    minimal: workload,
    filled: {
      revisionHistoryLimit: 10,
      selector,
      template: filledTemplate,
      updateStrategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 }, type: 'RollingUpdate' },
    },
    refused: {
      'nothing at all': {
        with: { selector: undefined, template: undefined },
        causes: [
          'spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`',
          'spec.template.spec.containers: Required value',
        ],
      },
      'an empty selector': { with: { selector: {} }, causes: ['spec.selector: Invalid value: {}: empty selector is invalid for daemonset'] },
      'pods that end': {
        with: { template: { metadata: { labels: { app: 'web' } }, spec: { ...podSpec, restartPolicy: 'Never', activeDeadlineSeconds: 5 } } },
        causes: [
          'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
          'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in DaemonSet is not Supported',
        ],
      },
      'an unknown strategy': {
        with: { updateStrategy: { type: 'Other' } },
        causes: ['spec.updateStrategy: Unsupported value: {"Type":"Other","RollingUpdate":null}: supported values: "RollingUpdate", "OnDelete"'],
      },
      'surge and unavailable': {
        with: { updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } },
        causes: ['spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero'],
      },
      neither: {
        with: { updateStrategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } },
        causes: ['spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0'],
      },
      'odd percentages': {
        with: { updateStrategy: { rollingUpdate: { maxSurge: '150%', maxUnavailable: 'y' } } },
        causes: [
          "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: \"y\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
          'spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: "150%": must not be greater than 100%',
        ],
      },
    },
  },
  {
    kind: 'StatefulSet',
    collection: 'apps/v1/statefulsets',
    minimal: workload,
    filled: {
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      podManagementPolicy: 'OrderedReady',
      replicas: 1,
      revisionHistoryLimit: 10,
      selector,
      serviceName: '',
      template: filledTemplate,
      updateStrategy: { rollingUpdate: { partition: 0 }, type: 'RollingUpdate' },
    },
    refused: {
      'nothing at all': {
        with: { selector: undefined, template: undefined },
        causes: [
          'spec.selector: Required value',
          'spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`',
          'spec.template.spec.containers: Required value',
        ],
      },
      'unknown policies': {
        with: { podManagementPolicy: 'x', updateStrategy: { type: 'Other' }, persistentVolumeClaimRetentionPolicy: { whenDeleted: 'X', whenScaled: 'Delete' } },
        causes: [
          "spec.podManagementPolicy: Invalid value: \"x\": must be 'OrderedReady' or 'Parallel'",
          'spec.updateStrategy: Invalid value: {"Type":"Other","RollingUpdate":null}: must be \'RollingUpdate\' or \'OnDelete\'',
          'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "X": supported values: "Retain", "Delete"',
        ],
      },
      'a service that is no name': {
        with: { serviceName: 'A b', ordinals: { start: -1 } },
        causes: [
          'spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0',
          "spec.serviceName: Invalid value: \"A b\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        ],
      },
      'a rolling update on delete': {
        with: { updateStrategy: { type: 'OnDelete', rollingUpdate: { partition: 1 } } },
        causes: ['spec.updateStrategy.rollingUpdate: Invalid value: {"Partition":1,"MaxUnavailable":null}: only allowed for updateStrategy \'RollingUpdate\''],
      },
      'a negative partition': {
        with: { updateStrategy: { rollingUpdate: { partition: -1 } } },
        causes: ['spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0'],
      },
      'claims without anything': {
        with: { volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] },
        causes: [
          'spec.volumeClaimTemplates[0].spec.accessModes: Required value: at least 1 access mode is required',
          'spec.volumeClaimTemplates[0].spec.resources[storage]: Required value',
        ],
      },
    },
  },
  {
    kind: 'Job',
    collection: 'batch/v1/jobs',
    minimal: jobSpec,
    refused: {
      'nothing at all': {
        with: { template: undefined },
        causes: ['spec.template.spec.containers: Required value', 'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
      },
      'pods that always restart': {
        with: { template: { spec: { ...podSpec, restartPolicy: 'Always' } } },
        causes: ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
      },
      'negative numbers': {
        with: { parallelism: -1, completions: -1, activeDeadlineSeconds: -1, backoffLimit: -1, ttlSecondsAfterFinished: -1 },
        causes: [
          'spec.parallelism: Invalid value: -1: must be greater than or equal to 0',
          'spec.completions: Invalid value: -1: must be greater than or equal to 0',
          'spec.activeDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0',
          'spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0',
          'spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or equal to 0',
        ],
      },
      'an index limit without indexes': {
        with: { backoffLimitPerIndex: 1, maxFailedIndexes: 1 },
        causes: [
          'spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode',
          'spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode',
        ],
      },
      'indexes without a number': {
        with: { completionMode: 'Indexed', parallelism: 3 },
        causes: ['spec.completions: Required value: when completion mode is Indexed'],
      },
      'a manager that is no path': {
        with: { managedBy: 'foo' },
        causes: ['spec.managedBy: Invalid value: "foo": must be a domain-prefixed path (such as "acme.io/foo")'],
      },
      'a label of another job': {
        with: { template: { metadata: { labels: { 'job-name': 'other' } }, spec: jobPodSpec } },
        causes: [
          'spec.template.metadata.labels[job-name]: Invalid value: {"batch.kubernetes.io/controller-uid":"UID","batch.kubernetes.io/job-name":"x","controller-uid":"UID","job-name":"other"}: must be \'x\'',
        ],
      },
      'odd failure rules': {
        with: {
          podFailurePolicy: {
            rules: [
              {},
              { action: 'FailJob', onExitCodes: { containerName: 'other', operator: 'In', values: [3, 0, 3] } },
              { action: 'FailIndex', onPodConditions: [{ type: 'X', status: 'Y' }] },
            ],
          },
        },
        causes: [
          'spec.podFailurePolicy.rules[0].action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]',
          'spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required',
          'spec.podFailurePolicy.rules[1].onExitCodes.containerName: Invalid value: "other": must be one of the container or initContainer names in the pod template',
          'spec.podFailurePolicy.rules[1].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator',
          'spec.podFailurePolicy.rules[1].onExitCodes.values[2]: Duplicate value: 3',
          'spec.podFailurePolicy.rules[1].onExitCodes.values: Invalid value: [3,0,3]: must be ordered',
          'spec.podFailurePolicy.rules[2].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
          'spec.podFailurePolicy.rules[2].onPodConditions[0].status: Unsupported value: "Y": supported values: "False", "True", "Unknown"',
        ],
      },
      'odd success rules': {
        with: {
          completionMode: 'Indexed',
          completions: 3,
          successPolicy: {
            rules: [{}, { succeededIndexes: '0,1-2,1' }, { succeededIndexes: '7' }, { succeededCount: 5 }, { succeededIndexes: '0-1', succeededCount: 3 }],
          },
        },
        causes: [
          'spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified',
          'spec.successPolicy.rules[1].succeededIndexes: Invalid value: "0,1-2,1": error parsing succeededIndexes: non-increasing order, previous: 2, current: 1',
          'spec.successPolicy.rules[2].succeededIndexes: Invalid value: "7": error parsing succeededIndexes: too large index: "7"',
          'spec.successPolicy.rules[3].succeededCount: Invalid value: 5: must be less than or equal to 3 (the number of specified completions)',
          'spec.successPolicy.rules[4].succeededCount: Invalid value: 3: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)',
        ],
      },
      'an unknown replacement': {
        with: { podReplacementPolicy: 'Other' },
        causes: ['spec.podReplacementPolicy: Unsupported value: "Other": supported values: "Failed", "TerminatingOrFailed"'],
      },
    },
  },
  {
    kind: 'CronJob',
    collection: 'batch/v1/cronjobs',
    minimal: { schedule: '@daily', jobTemplate: { spec: jobSpec } },
    filled: {
      concurrencyPolicy: 'Allow',
      failedJobsHistoryLimit: 1,
      jobTemplate: { metadata: {}, spec: { template: { metadata: {}, spec: { ...filledPodSpec, restartPolicy: 'Never' } } } },
      schedule: '@daily',
      successfulJobsHistoryLimit: 3,
      suspend: false,
    },
    refused: {
      'nothing at all': {
        with: { schedule: undefined, jobTemplate: undefined },
        causes: [
          'spec.schedule: Required value',
          'spec.jobTemplate.spec.template.spec.containers: Required value',
          'spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
        ],
      },
      'two fields': { with: { schedule: '* *' }, causes: ['spec.schedule: Invalid value: "* *": expected exactly 5 fields, found 2: [* *]'] },
      'a minute too late': {
        with: { schedule: '60 * * * *' },
        causes: ['spec.schedule: Invalid value: "60 * * * *": end of range (60) above maximum (59): 60'],
      },
      'a range backwards': {
        with: { schedule: '5-1 * * * *' },
        causes: ['spec.schedule: Invalid value: "5-1 * * * *": beginning of range (5) beyond end of range (1): 5-1'],
      },
      'no step': { with: { schedule: '*/0 * * * *' }, causes: ['spec.schedule: Invalid value: "*/0 * * * *": step of range should be a positive number: */0'] },
      'no number': {
        with: { schedule: 'a * * * *' },
        causes: ['spec.schedule: Invalid value: "a * * * *": failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
      },
      'an unknown descriptor': { with: { schedule: '@often' }, causes: ['spec.schedule: Invalid value: "@often": unrecognized descriptor: @often'] },
      'a time zone in the schedule': {
        with: { schedule: 'TZ=UTC 0 0 * * *' },
        causes: ['spec.schedule: Invalid value: "TZ=UTC 0 0 * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead'],
      },
      'an unknown time zone': { with: { timeZone: 'Mars/Olympus' }, causes: ['spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus'] },
      'a time zone in the wrong case': {
        with: { timeZone: 'america/new_york' },
        causes: ['spec.timeZone: Invalid value: "america/new_york": unknown time zone america/new_york'],
      },
      'an unknown policy': {
        with: { concurrencyPolicy: 'Other', startingDeadlineSeconds: -1 },
        causes: [
          'spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0',
          'spec.concurrencyPolicy: Unsupported value: "Other": supported values: "Allow", "Forbid", "Replace"',
        ],
      },
      'a selector': {
        with: { jobTemplate: { spec: { template: { spec: jobPodSpec }, selector: { matchLabels: { a: 'b' } }, manualSelector: true } } },
        causes: [
          'spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` will be auto-generated',
          'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
        ],
      },
    },
  },
  {
    kind: 'PodDisruptionBudget',
    collection: 'policy/v1/poddisruptionbudgets',
    minimal: { minAvailable: 1 },
    filled: { minAvailable: 1 },
    refused: {
      'both limits': {
        with: { maxUnavailable: 1 },
        causes: [
          'spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set',
        ],
      },
      'a negative number': { with: { minAvailable: -1 }, causes: ['spec.minAvailable: Invalid value: -1: must be greater than or equal to 0'] },
      'no percentage': {
        with: { minAvailable: 'x' },
        causes: [
          "spec.minAvailable: Invalid value: \"x\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        ],
      },
      'more than everything': {
        with: { minAvailable: undefined, maxUnavailable: '200%' },
        causes: ['spec.maxUnavailable: Invalid value: "200%": must not be greater than 100%'],
      },
      'an unknown policy': {
        with: { unhealthyPodEvictionPolicy: 'Other' },
        causes: ['spec.unhealthyPodEvictionPolicy: Unsupported value: "Other": supported values: "AlwaysAllow", "IfHealthyBudget"'],
      },
    },
  },
  {
    kind: 'HorizontalPodAutoscaler',
    collection: 'autoscaling/v2/horizontalpodautoscalers',
    minimal: { scaleTargetRef, maxReplicas: 3 },
    filled: {
      maxReplicas: 3,
      metrics: [{ resource: { name: 'cpu', target: { averageUtilization: 80, type: 'Utilization' } }, type: 'Resource' }],
      minReplicas: 1,
      scaleTargetRef,
    },
    refused: {
      'nothing at all': {
        with: { scaleTargetRef: undefined, maxReplicas: undefined },
        causes: [
          'spec.maxReplicas: Required value: must be set and greater than 0',
          'spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`',
          'spec.scaleTargetRef.kind: Required value',
          'spec.scaleTargetRef.name: Required value',
          'spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group',
        ],
      },
      'fewer than none': {
        with: { minReplicas: 0 },
        causes: [
          'spec.minReplicas: Invalid value: 0: must be greater than or equal to 1',
          'spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas',
        ],
      },
      'more at least than at most': {
        with: { minReplicas: 5 },
        causes: ['spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`'],
      },
      'a target without a group': {
        with: { scaleTargetRef: { kind: 'Other/a', name: 'x%' } },
        causes: [
          'spec.scaleTargetRef.kind: Invalid value: "Other/a": may not contain \'/\'',
          'spec.scaleTargetRef.name: Invalid value: "x%": may not contain \'%\'',
          'spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group',
        ],
      },
      'an unknown metric': {
        with: { metrics: [{ type: 'Other' }] },
        causes: [
          'spec.metrics[0].type: Unsupported value: "Other": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"',
          'spec.metrics[0].type: Unsupported value: "Other": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"',
        ],
      },
      'a metric without its source': {
        with: { metrics: [{ type: 'Resource' }] },
        causes: ['spec.metrics[0].resource: Required value: must populate information for the given metric source'],
      },
      'a target that is none': {
        with: { metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Other', averageUtilization: 0, averageValue: '0' } } }] },
        causes: [
          'spec.metrics[0].resource.target.type: Invalid value: "Other": must be either Utilization, Value, or AverageValue',
          'spec.metrics[0].resource.target.averageValue: Invalid value: "0": must be positive',
          'spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0',
          'spec.metrics[0].resource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization',
        ],
      },
      'two sources': {
        with: {
          metrics: [
            {
              type: 'Pods',
              resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 1 } },
              pods: { metric: { name: 'a' }, target: { type: 'AverageValue', averageValue: '1' } },
            },
          ],
        },
        causes: ['spec.metrics[0].resource: Forbidden: must populate the given metric source only'],
      },
      'odd rules': {
        with: {
          behavior: {
            scaleUp: { stabilizationWindowSeconds: -1, selectPolicy: 'X' },
            scaleDown: { stabilizationWindowSeconds: 4000, policies: [{ type: 'Other', value: 0, periodSeconds: 2000 }] },
          },
        },
        causes: [
          'spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: -1: must be greater than or equal to zero',
          'spec.behavior.scaleUp.selectPolicy: Unsupported value: "X": supported values: "Disabled", "Max", "Min"',
          'spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: 4000: must be less than or equal to 3600',
          'spec.behavior.scaleDown.policies[0].type: Unsupported value: "Other": supported values: "Percent", "Pods"',
          'spec.behavior.scaleDown.policies[0].value: Invalid value: 0: must be greater than zero',
          'spec.behavior.scaleDown.policies[0].periodSeconds: Invalid value: 2000: must be less than or equal to 1800',
        ],
      },
    },
  },
]

const uid = /[0-9a-f]{8}-[0-9a-f-]{27}/g

function causesOf({ code, json, text }: Answer): string[] {
  assert.equal(code, 422, text)
  return json.details.causes.map(({ field, message }: Json) => `${field}: ${message}`.replaceAll(uid, 'UID'))
}

const columnsOf: Readonly<Record<string, readonly string[]>> = {
  'apps/v1/controllerrevisions': ['Name', 'Controller', 'Revision', 'Age'],
  'apps/v1/daemonsets': ['Name', 'Desired', 'Current', 'Ready', 'Up-to-date', 'Available', 'Node Selector', 'Age', 'Containers*', 'Images*', 'Selector*'],
  'apps/v1/statefulsets': ['Name', 'Ready', 'Age', 'Containers*', 'Images*'],
  'batch/v1/jobs': ['Name', 'Status', 'Completions', 'Duration', 'Age', 'Containers*', 'Images*', 'Selector*'],
  'batch/v1/cronjobs': ['Name', 'Schedule', 'Timezone', 'Suspend', 'Active', 'Last Schedule', 'Age', 'Containers*', 'Images*', 'Selector*'],
  'policy/v1/poddisruptionbudgets': ['Name', 'Min Available', 'Max Unavailable', 'Allowed Disruptions', 'Age'],
  'autoscaling/v1/horizontalpodautoscalers': ['Name', 'Reference', 'Targets', 'MinPods', 'MaxPods', 'Replicas', 'Age'],
  'autoscaling/v2/horizontalpodautoscalers': ['Name', 'Reference', 'Targets', 'MinPods', 'MaxPods', 'Replicas', 'Age'],
}
const asTable = { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } }

export const workloadKinds = conformance('workload kinds', ({ api, claim }) => {
  const at = (namespace: string, collection: string): string => {
    const slash = collection.lastIndexOf('/')
    return namespace.replace('/api/v1', `/apis/${collection.slice(0, slash)}`) + collection.slice(slash)
  }
  const status = (path: string, given: Json): Promise<Answer> => api.patch('merge', `${path}/status`, { status: given })

  for (const { kind, collection, minimal, filled, refused } of kinds) {
    if (filled !== undefined)
      claim(`fills what a minimal ${kind} leaves out (${defaultsRowOf(kind)})`, async (t) => {
        const path = at(await api.namespace(t), collection)

        const { spec } = await api.create(`${path}?dryRun=All`, { metadata: { name: 'x' }, spec: minimal })

        assert.deepEqual(spec, filled)
      })

    claim(`says what is wrong with a ${kind} (${rulesRowOf(kind)})`, async (t) => {
      const path = at(await api.namespace(t), collection)

      const said: Record<string, string[]> = {}
      for (const [name, { with: broken }] of Object.entries(refused))
        said[name] = causesOf(await api.post(`${path}?dryRun=All`, { metadata: { name: 'x' }, spec: { ...minimal, ...broken } }))

      assert.deepEqual(said, Object.fromEntries(Object.entries(refused).map(([name, { causes }]) => [name, causes])))
    })
  }

  for (const [collection, expected] of Object.entries(columnsOf)) {
    claim(`shows the columns of ${collection} (9)`, async () => {
      const { json } = await api.get(`/apis/${collection}`, asTable)

      assert.deepEqual(
        json.columnDefinitions.map(({ name, priority }: Json) => `${name}${priority > 0 ? '*' : ''}`),
        expected,
      )
    })
  }

  claim('shows jobs, cron jobs, budgets and revisions as kubectl prints them (9)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(at(namespace, 'batch/v1/jobs'), { metadata: { name: 'j' }, spec: { ...jobSpec, suspend: true, completions: 3 } })
    await api.create(at(namespace, 'batch/v1/cronjobs'), {
      metadata: { name: 'c' },
      spec: { schedule: '@daily', suspend: true, timeZone: 'UTC', jobTemplate: { spec: jobSpec } },
    })
    await api.create(at(namespace, 'policy/v1/poddisruptionbudgets'), { metadata: { name: 'b' }, spec: { maxUnavailable: '50%' } })
    await api.create(at(namespace, 'apps/v1/controllerrevisions'), { metadata: { name: 'r' }, revision: 3, data: { a: 1 } })

    const cells = async (collection: string): Promise<Json> => (await api.get(at(namespace, collection), asTable)).json.rows[0].cells

    const [, state, , duration] = await cells('batch/v1/jobs')
    assert.ok(['Running', 'Suspended'].includes(state), state)
    assert.equal(duration, '')
    assert.equal((await cells('batch/v1/jobs'))[2], '0/3')
    assert.deepEqual((await cells('batch/v1/cronjobs')).slice(0, 6), ['c', '@daily', 'UTC', 'True', 0, '<none>'])
    assert.deepEqual((await cells('policy/v1/poddisruptionbudgets')).slice(0, 3), ['b', 'N/A', '50%'])
    assert.deepEqual((await cells('apps/v1/controllerrevisions')).slice(0, 3), ['r', '<none>', 3])
  })

  claim('makes the selector of a job from its uid, and labels from its template (15 Job)', async (t) => {
    const path = at(await api.namespace(t), 'batch/v1/jobs')

    const { metadata, spec } = await api.create(`${path}?dryRun=All`, {
      metadata: { name: 'x' },
      spec: { template: { metadata: { labels: { a: 'b' } }, spec: jobPodSpec } },
    })

    const labels = {
      a: 'b',
      'batch.kubernetes.io/controller-uid': metadata.uid,
      'batch.kubernetes.io/job-name': 'x',
      'controller-uid': metadata.uid,
      'job-name': 'x',
    }
    assert.deepEqual(spec.selector, { matchLabels: { 'batch.kubernetes.io/controller-uid': metadata.uid } })
    assert.deepEqual([spec.template.metadata.labels, metadata.labels], [labels, labels])
    assert.deepEqual([spec.completions, spec.parallelism, spec.backoffLimit, spec.podReplacementPolicy], [1, 1, 6, 'TerminatingOrFailed'])
  })

  claim('keeps what must not change in a workload (16 Workloads)', async (t) => {
    const namespace = await api.namespace(t)
    const collections = ['apps/v1/deployments', 'apps/v1/replicasets', 'apps/v1/daemonsets'].map((collection) => at(namespace, collection))
    for (const path of collections) await api.create(path, { metadata: { name: 'x' }, spec: { ...workload } })
    const sets = at(namespace, 'apps/v1/statefulsets')
    await api.create(sets, { metadata: { name: 'x' }, spec: { ...workload, replicas: 0 } })

    for (const path of collections)
      assert.ok(
        causesOf(
          await api.patch('merge', `${path}/x`, { spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } } } } }),
        ).includes('spec.selector: Invalid value: {"matchLabels":{"a":"b","app":"web"}}: field is immutable'),
        path,
      )
    assert.deepEqual(causesOf(await api.patch('merge', `${sets}/x`, { spec: { serviceName: 'x' } })), [
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ])
    assert.equal((await api.patch('merge', `${sets}/x`, { spec: { ordinals: { start: 1 }, minReadySeconds: 2 } })).code, 200)
  })

  claim('keeps what must not change in a job, and lets indexes grow (16 Workloads)', async (t) => {
    const path = at(await api.namespace(t), 'batch/v1/jobs')
    await api.create(path, { metadata: { name: 'plain' }, spec: { ...jobSpec, suspend: true } })
    await api.create(path, { metadata: { name: 'indexed' }, spec: { ...jobSpec, suspend: true, completionMode: 'Indexed', completions: 2, parallelism: 2 } })

    const plain = await api.patch('merge', `${path}/plain`, { spec: { completions: 5, completionMode: 'Indexed', managedBy: 'example.com/x' } })
    const alone = await api.patch('merge', `${path}/indexed`, { spec: { completions: 3 } })
    const together = await api.patch('merge', `${path}/indexed`, { spec: { completions: 3, parallelism: 3 } })
    const placed = await api.patch('merge', `${path}/plain`, { spec: { template: { spec: { nodeSelector: { a: 'b' } } } } })

    assert.deepEqual(causesOf(plain), [
      'spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism',
      'spec.completionMode: Invalid value: "Indexed": field is immutable',
      'spec.managedBy: Invalid value: "example.com/x": field is immutable',
    ])
    assert.deepEqual(causesOf(alone), ['spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism'])
    assert.deepEqual([together.code, placed.code], [200, 200])
  })

  claim('takes from a job controller only a status that makes sense (S1, 16 Workloads)', async (t) => {
    const path = `${at(await api.namespace(t), 'batch/v1/jobs')}/x`
    await api.create(path.slice(0, -2), { metadata: { name: 'x' }, spec: { ...jobSpec, suspend: true, managedBy: 'example.com/x' } })
    const conditions = (...types: readonly string[]): Json => types.map((type) => ({ type, status: 'True' }))
    const startTime = '2024-01-01T00:00:00Z'

    const early = await status(path, { conditions: conditions('Complete') })
    const both = await status(path, { startTime, conditions: conditions('Complete', 'Failed') })
    const indexes = await status(path, { completedIndexes: '0', ready: 3, active: 1 })
    const done = await status(path, {
      startTime,
      completionTime: '2024-01-01T00:01:00Z',
      succeeded: 1,
      conditions: conditions('SuccessCriteriaMet', 'Complete'),
    })
    const undone = await status(path, { conditions: [], succeeded: 0 })

    assert.deepEqual(causesOf(early), [
      'status.completionTime: Required value: completionTime is required for Complete jobs',
      'status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition',
      'status.startTime: Required value: startTime is required for finished job',
    ])
    assert.ok(causesOf(both).includes('status.conditions: Invalid value: cannot set Complete=True and Failed=true conditions'))
    assert.deepEqual(causesOf(indexes), [
      'status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion mode',
      'status.ready: Invalid value: 3: cannot set more ready pods than active',
    ])
    assert.equal(done.code, 200, done.text)
    assert.ok(causesOf(undone).includes('status.conditions: Invalid value: cannot disable the terminal Complete=True condition'))
    assert.ok(causesOf(undone).includes('status.succeeded: Invalid value: 0: cannot decrease the succeeded counter'))
  })

  claim('keeps the pods of a deleted job unless it is told otherwise, and says so (C17)', async (t) => {
    const path = at(await api.namespace(t), 'batch/v1/jobs')
    for (const name of ['said', 'unsaid']) await api.create(path, { metadata: { name }, spec: { ...jobSpec, suspend: true } })

    const unsaid = await api.delete(`${path}/unsaid`)
    const said = await api.delete(`${path}/said`, { propagationPolicy: 'Background' })

    assert.deepEqual([unsaid.json.kind, unsaid.json.metadata.finalizers], ['Job', ['orphan']])
    assert.match(String(unsaid.headers['warning']), /child pods are preserved by default when jobs are deleted; set propagationPolicy=Background/)
    assert.deepEqual([said.json.kind, said.json.status, said.headers['warning']], ['Status', 'Success', undefined])
  })

  claim('counts the templates of a daemon set in an annotation (16 Workloads)', async (t) => {
    const path = at(await api.namespace(t), 'apps/v1/daemonsets')
    const generation = ({ metadata }: Json): string => metadata.annotations['deprecated.daemonset.template.generation']

    const created = await api.create(path, { metadata: { name: 'x' }, spec: workload })
    const kept = await api.patch('merge', `${path}/x`, { spec: { minReadySeconds: 1 } })
    const changed = await api.patch('merge', `${path}/x`, { spec: { template: { metadata: { annotations: { a: 'b' } } } } })

    assert.deepEqual([generation(created), generation(kept.json), generation(changed.json)], ['1', '1', '2'])
  })

  claim('warns of a name that makes odd host names, and of a refused workload too (W16, 16 Workloads)', async (t) => {
    const path = at(await api.namespace(t), 'apps/v1/deployments')

    const refused = await api.post(`${path}?dryRun=All`, { metadata: { name: 'a' }, spec: { ...workload, replicas: -1, other: 1 } })
    const named = await api.post(`${path}?dryRun=All`, { metadata: { name: 'a.b' }, spec: workload })

    assert.deepEqual([refused.code, String(refused.headers['warning'])], [422, '299 - "unknown field \\"spec.other\\""'])
    assert.match(String(named.headers['warning']), /metadata\.name: this is used in Pod names and hostnames/)
  })

  claim('takes the data of a revision once (16 Workloads)', async (t) => {
    const path = at(await api.namespace(t), 'apps/v1/controllerrevisions')
    await api.create(path, { metadata: { name: 'r' }, revision: 1, data: { a: 1 } })

    assert.deepEqual(causesOf(await api.patch('merge', `${path}/r`, { data: { b: 2 } })), ['data: Invalid value: {"a":1,"b":2}: field is immutable'])
    assert.deepEqual(causesOf(await api.post(path, { metadata: { name: 's' }, revision: -1 })), [
      'revision: Invalid value: -1: must be greater than or equal to 0',
      'data: Required value: data is mandatory',
    ])
    assert.equal((await api.patch('merge', `${path}/r`, { revision: 2 })).json.revision, 2)
  })

  const evict = (namespace: string, name: string, more: Json = {}): Promise<Answer> =>
    api.post(`${namespace}/pods/${name}/eviction`, {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name },
      deleteOptions: { gracePeriodSeconds: 0 },
      ...more,
    })
  const runPod = async (namespace: string, name: string): Promise<void> => {
    await api.create(`${namespace}/pods`, { metadata: { name, labels: { app: 'web' } }, spec: { ...podSpec, nodeName: 'nowhere' } })
    const running = await status(`${namespace}/pods/${name}`, { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] })
    assert.equal(running.code, 200, running.text)
  }
  /** A budget whose status says what a controller would say. */
  const budget = async (namespace: string, name: string, healthy: number): Promise<string> => {
    const path = at(namespace, 'policy/v1/poddisruptionbudgets')
    await api.create(path, { metadata: { name }, spec: { minAvailable: 1, selector } })
    const counted = { observedGeneration: 1, disruptionsAllowed: healthy - 1, currentHealthy: healthy, desiredHealthy: 1, expectedPods: healthy }
    assert.equal((await status(`${path}/${name}`, counted)).code, 200)
    return `${path}/${name}`
  }

  claim('refuses an eviction that a disruption budget does not allow (S4)', async (t) => {
    const namespace = await api.namespace(t)
    await runPod(namespace, 'one')
    await budget(namespace, 'b', 1)

    const { code, json } = await evict(namespace, 'one')
    const pod = await api.read(`${namespace}/pods/one`)

    assert.equal(code, 429)
    assert.deepEqual([json.reason, json.message], ['TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget."])
    assert.deepEqual(json.details, { causes: [{ reason: 'DisruptionBudget', message: 'The disruption budget b needs 1 healthy pods and has 1 currently' }] })
    assert.equal(pod.metadata.deletionTimestamp, undefined)
  })

  claim('charges an eviction to the budget, and refuses the next (S4)', async (t) => {
    const namespace = await api.namespace(t)
    await runPod(namespace, 'one')
    await runPod(namespace, 'two')
    const path = await budget(namespace, 'b', 2)

    const tried = await evict(namespace, 'one', { deleteOptions: { dryRun: ['All'] } })
    const first = await evict(namespace, 'one')
    const charged = await api.read(path)
    const second = await evict(namespace, 'two')

    assert.deepEqual([tried.code, first.code, second.code], [201, 201, 429])
    assert.deepEqual(first.json, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 })
    assert.equal(charged.status.disruptionsAllowed, 0)
    assert.deepEqual(
      charged.status.conditions.map(({ type, status: is, reason }: Json) => [type, is, reason]),
      [['DisruptionAllowed', 'False', 'InsufficientPods']],
    )
    assert.equal((await api.get(`${namespace}/pods/one`)).code, 404)
  })

  claim('takes one budget for a pod, and lets go what does not run (S4)', async (t) => {
    const namespace = await api.namespace(t)
    await runPod(namespace, 'one')
    await budget(namespace, 'a', 1)
    await budget(namespace, 'b', 1)

    const both = await evict(namespace, 'one')
    const other = await evict(namespace, 'one', { metadata: { name: 'other' } })
    await status(`${namespace}/pods/one`, { phase: 'Succeeded' })
    const finished = await evict(namespace, 'one')

    assert.deepEqual([both.code, both.json.message], [500, 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.'])
    assert.deepEqual([other.code, other.json.message], [400, 'name in URL does not match name in Eviction object'])
    assert.equal(finished.code, 201, finished.text)
  })
})
