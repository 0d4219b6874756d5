import { dns1123LabelProblems, fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, validateAnnotations, validateLabels } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { claimSpecWarnings, defaultClaimSpec, validateClaimSpec } from '../core/persistent-volume-claim.ts'
import { validatePodTemplateSpec } from '../core/pod-template-validation.ts'
import { podTemplateWarnings } from '../core/pod-warnings.ts'
import type { PodTemplateSpec, StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy, Volume } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { validateAtMost, validateCollisionCount, validateNotNegative } from './counts.ts'
import {
  compiledSelector,
  defaultTemplate,
  isOtherGeneration,
  selectorText,
  templateColumns,
  validateLongRunning,
  validateSelected,
  validateSelector,
} from './pod-template.ts'

export const statefulSet: BuiltinKind = {
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  shortNames: ['sts'],
  categories: ['all'],
  namespaced: true,
  type: 'io.k8s.api.apps.v1.StatefulSet',
  groupPriority: 17800,
  hasStatus: true,
  tracksGeneration: true,
  allowUnconditionalUpdate: true,
  validateName: dns1123LabelProblems,
  scale: {
    specReplicas: ['spec', 'replicas'],
    statusReplicas: ['status', 'replicas'],
    selector: (object) => selectorText(as<StatefulSet>(object).spec?.selector),
  },
  columns: [
    nameCell,
    column<StatefulSet>('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`, { description: 'Ready pods of desired pods.' }),
    ageCell,
    ...templateColumns<StatefulSet>((object) => object.spec?.template),
  ],
  applyDefaults(object) {
    const set = as<StatefulSet>(object)
    const spec = (set.spec ??= {} as StatefulSetSpec)
    spec.podManagementPolicy ||= 'OrderedReady'
    spec.updateStrategy ??= {}
    if ((spec.updateStrategy.type ?? '') === '') {
      spec.updateStrategy.type = 'RollingUpdate'
      spec.updateStrategy.rollingUpdate ??= {}
    }
    if (spec.updateStrategy.type === 'RollingUpdate' && spec.updateStrategy.rollingUpdate !== undefined) spec.updateStrategy.rollingUpdate.partition ??= 0
    spec.persistentVolumeClaimRetentionPolicy ??= {}
    spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= 'Retain'
    spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= 'Retain'
    spec.replicas ??= 1
    spec.revisionHistoryLimit ??= 10
    spec.template = defaultTemplate(spec.template)
    for (const claim of spec.volumeClaimTemplates ?? []) {
      claim.kind = 'PersistentVolumeClaim'
      claim.apiVersion = 'v1'
      claim.spec ??= {}
      defaultClaimSpec(claim.spec)
      claim.status ??= {}
      claim.status.phase ??= 'Pending'
    }
  },
  prepareForCreate(object) {
    object['status'] = { replicas: 0, availableReplicas: 0 }
    dropAlphaFields(as<StatefulSet>(object).spec)
  },
  prepareForUpdate(object) {
    dropAlphaFields(as<StatefulSet>(object).spec)
  },
  warnings(object, old) {
    const { spec } = as<StatefulSet>(object)
    // The field is called otherwise on an update.
    const part = old === undefined ? '' : '.Spec'
    return [
      ...(isOtherGeneration(object, old) ? podTemplateWarnings(spec?.template, 'spec.template') : []),
      ...(spec?.volumeClaimTemplates ?? []).flatMap((claim, i) => claimSpecWarnings(claim.spec ?? {}, `spec.volumeClaimTemplates[${i}]${part}`)),
      ...((spec?.revisionHistoryLimit ?? 0) < 0 ? [negativeHistory] : []),
    ]
  },
  validate: (object, old) => validateSpec(as<StatefulSet>(object).spec, old !== undefined),
  validateUpdate(object, old) {
    return fixedPart(as<StatefulSet>(object).spec) === fixedPart(as<StatefulSet>(old).spec) ? [] : [fieldForbidden('spec', onlyTheseMayChange)]
  },
  validateStatusUpdate(object, old) {
    const { status } = as<StatefulSet>(object)
    return [
      ...validateNotNegative(
        status,
        ['replicas', 'readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas', 'observedGeneration', 'collisionCount'],
        'status',
      ),
      ...validateAtMost(status, ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'], { field: 'replicas' }),
      ...validateAtMost(status, ['availableReplicas'], { field: 'readyReplicas' }),
      ...validateCollisionCount(status, as<StatefulSet>(old).status),
    ]
  },
}

/** `maxUnavailable` belongs to the feature MaxUnavailableStatefulSet, which is off. */
function dropAlphaFields(spec: StatefulSetSpec | undefined): void {
  delete spec?.updateStrategy?.rollingUpdate?.maxUnavailable
}

const negativeHistory = 'spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended'
const onlyTheseMayChange =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"

/** The spec without the fields that may change, as text to compare. */
function fixedPart(spec: StatefulSetSpec | undefined): string {
  return JSON.stringify({
    ...spec,
    replicas: undefined,
    ordinals: undefined,
    template: undefined,
    updateStrategy: undefined,
    revisionHistoryLimit: undefined,
    persistentVolumeClaimRetentionPolicy: undefined,
    minReadySeconds: undefined,
  })
}

/** What cannot change any more is not looked at again in an update: it may have been stored when it was still allowed. */
function validateSpec(spec: StatefulSetSpec | undefined, isUpdate: boolean): FieldError[] {
  if (spec === undefined) return []
  const errors: FieldError[] = []
  const policy = spec.podManagementPolicy ?? ''
  if (policy !== 'OrderedReady' && policy !== 'Parallel') errors.push(fieldInvalid('spec.podManagementPolicy', policy, "must be 'OrderedReady' or 'Parallel'"))
  errors.push(...validateStrategy(spec.updateStrategy))
  for (const when of ['whenDeleted', 'whenScaled'] as const) {
    const kept = spec.persistentVolumeClaimRetentionPolicy?.[when] ?? ''
    if (kept !== 'Retain' && kept !== 'Delete') errors.push(fieldNotSupported(`spec.persistentVolumeClaimRetentionPolicy.${when}`, kept, ['Retain', 'Delete']))
  }
  if (!isUpdate)
    spec.volumeClaimTemplates?.forEach((claim, index) => errors.push(...validateClaimSpec(claim.spec ?? {}, `spec.volumeClaimTemplates[${index}].spec`)))
  errors.push(...validateNotNegative(spec, ['replicas', 'minReadySeconds'], 'spec'), ...validateNotNegative(spec.ordinals, ['start'], 'spec.ordinals'))
  if (!isUpdate && (spec.serviceName ?? '') !== '')
    for (const problem of dns1123LabelProblems(spec.serviceName ?? '')) errors.push(fieldInvalid('spec.serviceName', spec.serviceName, problem))
  errors.push(...validateSelector(spec.selector, 'statefulset'))
  const selector = compiledSelector(spec.selector)
  if (selector === undefined) errors.push(fieldInvalid('spec.selector', spec.selector, ''))
  else
    errors.push(
      ...validateSelected(selector, spec.template),
      ...validatePodTemplateSpec(withClaimVolumes(spec), 'spec.template'),
      ...validateTemplateMeta(spec.template),
    )
  return [...errors, ...validateLongRunning(spec.template, 'StatefulSet')]
}

/** Upstream looks at the template's metadata once more. */
function validateTemplateMeta({ metadata }: PodTemplateSpec): FieldError[] {
  return [...validateLabels(metadata?.labels, 'spec.template.labels'), ...validateAnnotations(metadata?.annotations, 'spec.template.annotations')]
}

function validateStrategy(strategy: StatefulSetUpdateStrategy | undefined): FieldError[] {
  const { type = '', rollingUpdate } = strategy ?? {}
  const path = 'spec.updateStrategy'
  const shown = rollingUpdate === undefined ? null : { Partition: rollingUpdate.partition ?? 0, MaxUnavailable: null }
  if (type === '') return [fieldRequired(path, '')]
  if (type === 'OnDelete')
    return rollingUpdate === undefined ? [] : [fieldInvalid(`${path}.rollingUpdate`, shown, "only allowed for updateStrategy 'RollingUpdate'")]
  if (type !== 'RollingUpdate') return [fieldInvalid(path, { Type: type, RollingUpdate: shown }, "must be 'RollingUpdate' or 'OnDelete'")]
  return validateNotNegative(rollingUpdate, ['partition'], `${path}.rollingUpdate`)
}

/** The template as its pods will be: with a volume for each claim, and with a host name that the set gives. */
function withClaimVolumes({ template, volumeClaimTemplates }: StatefulSetSpec): PodTemplateSpec {
  const claimed = (volumeClaimTemplates ?? []).map((claim): Volume => {
    const name = claim.metadata.name ?? ''
    return { name, persistentVolumeClaim: { claimName: name } }
  })
  const names = new Set(claimed.map(({ name }) => name))
  const own = (template.spec.volumes ?? []).filter(({ name }) => !names.has(name))
  return { ...template, spec: { ...template.spec, subdomain: undefined, hostname: undefined, volumes: [...claimed, ...own] } }
}
