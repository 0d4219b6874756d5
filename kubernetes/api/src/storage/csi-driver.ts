import { fieldDuplicate, fieldInvalid, fieldIsImmutable, fieldNotSupported } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { CSIDriver, StorageTokenRequest } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'

const groupPolicies = ['File', 'None', 'ReadWriteOnceWithFSType']
const lifecycleModes = ['Persistent', 'Ephemeral']
const minTokenSeconds = 600
const maxTokenSeconds = 2 ** 32
const minUpdatePeriodSeconds = 10
const secretsRecommended =
  'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes'

export const csiDriver: BuiltinKind = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIDriver',
  plural: 'csidrivers',
  namespaced: false,
  type: 'io.k8s.api.storage.v1.CSIDriver',
  groupPriority: 16800,
  returnsDeletedObject: true,
  columns: [
    nameCell,
    column<CSIDriver>('AttachRequired', ({ spec }) => spec?.attachRequired ?? true, { type: 'boolean', description: 'Whether volumes are attached first.' }),
    column<CSIDriver>('PodInfoOnMount', ({ spec }) => spec?.podInfoOnMount ?? false, { type: 'boolean', description: 'Whether mounts are told of the pod.' }),
    column<CSIDriver>('StorageCapacity', ({ spec }) => spec?.storageCapacity ?? false, { type: 'boolean', description: 'Whether it reports its capacity.' }),
    column<CSIDriver>(
      'TokenRequests',
      ({ spec }) => (spec?.tokenRequests === undefined ? '<unset>' : spec.tokenRequests.map(({ audience }) => audience).join(',')),
      {
        description: 'Audiences of the tokens that it is given.',
      },
    ),
    column<CSIDriver>('RequiresRepublish', ({ spec }) => spec?.requiresRepublish ?? false, {
      type: 'boolean',
      description: 'Whether it is asked again and again.',
    }),
    column<CSIDriver>('Modes', ({ spec }) => (spec?.volumeLifecycleModes ?? []).join(',') || '<none>', { description: 'Kinds of volumes it can make.' }),
    ageCell,
  ],
  applyDefaults(object) {
    const { spec } = as<CSIDriver>(object)
    if (spec === undefined) return
    spec.attachRequired ??= true
    spec.podInfoOnMount ??= false
    spec.storageCapacity ??= false
    spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType'
    if ((spec.volumeLifecycleModes ?? []).length === 0) spec.volumeLifecycleModes = ['Persistent']
    spec.requiresRepublish ??= false
    spec.seLinuxMount ??= false
  },
  prepareForCreate(object) {
    delete as<CSIDriver>(object).spec?.preventPodSchedulingIfMissing
  },
  // The generation counts changes only: a new driver has none.
  prepareForUpdate(object, old) {
    const [next, before] = [as<CSIDriver>(object).spec, as<CSIDriver>(old).spec]
    if (before?.preventPodSchedulingIfMissing === undefined) delete next?.preventPodSchedulingIfMissing
    if (JSON.stringify(next) !== JSON.stringify(before)) object.metadata.generation = (old.metadata.generation ?? 0) + 1
  },
  warnings(object, old) {
    const { tokenRequests = [], serviceAccountTokenInSecrets: inSecrets } = as<CSIDriver>(object).spec ?? {}
    const before = old === undefined ? undefined : (as<CSIDriver>(old).spec?.tokenRequests ?? [])
    const isNew = JSON.stringify(tokenRequests) !== JSON.stringify(before)
    return isNew && tokenRequests.length > 0 && inSecrets === undefined ? [secretsRecommended] : []
  },
  validate(object) {
    const { spec } = as<CSIDriver>(object)
    const { fsGroupPolicy, tokenRequests = [], nodeAllocatableUpdatePeriodSeconds: period, serviceAccountTokenInSecrets: inSecrets } = spec
    const errors: FieldError[] = []
    if (fsGroupPolicy !== undefined && !groupPolicies.includes(fsGroupPolicy))
      errors.push(fieldNotSupported('spec.fsGroupPolicy', fsGroupPolicy, groupPolicies))
    errors.push(...validateTokenRequests(tokenRequests))
    for (const mode of spec.volumeLifecycleModes ?? []) {
      if (!lifecycleModes.includes(mode)) errors.push(fieldNotSupported('spec.volumeLifecycleModes', mode, lifecycleModes))
    }
    if (period !== undefined && period < minUpdatePeriodSeconds) {
      errors.push(fieldInvalid('spec.nodeAllocatableUpdatePeriodSeconds', period, `must be greater than or equal to ${minUpdatePeriodSeconds} seconds`))
    }
    if (inSecrets !== undefined && tokenRequests.length === 0) {
      errors.push(fieldInvalid('spec.serviceAccountTokenInSecrets', inSecrets, 'serviceAccountTokenInSecrets is set but no tokenRequests are specified'))
    }
    return errors
  },
  validateUpdate(object, old) {
    const [next, before] = [as<CSIDriver>(object).spec, as<CSIDriver>(old).spec]
    const errors: FieldError[] = []
    // Upstream calls the field so.
    if (next?.attachRequired !== before?.attachRequired) errors.push(fieldInvalid('spec.attachedRequired', next?.attachRequired, fieldIsImmutable))
    if (JSON.stringify(next?.volumeLifecycleModes) !== JSON.stringify(before?.volumeLifecycleModes)) {
      errors.push(fieldInvalid('spec.volumeLifecycleModes', next?.volumeLifecycleModes, fieldIsImmutable))
    }
    return errors
  },
}

function validateTokenRequests(requests: readonly StorageTokenRequest[]): FieldError[] {
  const errors: FieldError[] = []
  const audiences = new Set<string>()
  requests.forEach(({ audience, expirationSeconds: seconds }, i) => {
    const path = `spec.tokenRequests[${i}]`
    if (audiences.has(audience)) return void errors.push(fieldDuplicate(`${path}.audience`, audience))
    audiences.add(audience)
    if (seconds === undefined) return
    if (seconds < minTokenSeconds) errors.push(fieldInvalid(`${path}.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes'))
    if (seconds > maxTokenSeconds) errors.push(fieldInvalid(`${path}.expirationSeconds`, seconds, 'may not specify a duration larger than 2^32 seconds'))
  })
  return errors
}
