import { fieldInvalid } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { Lease } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'

export const lease: BuiltinKind = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
  takesAnyFinalizer: true,
  type: 'io.k8s.api.coordination.v1.Lease',
  groupPriority: 16500,
  allowCreateOnUpdate: true,
  // Coordinated leader election is off, as it is upstream by default: what belongs to it stays only where it is stored already.
  prepareForCreate(object) {
    const { spec } = as<Lease>(object)
    delete spec?.strategy
    delete spec?.preferredHolder
  },
  prepareForUpdate(object, old) {
    const [next, before] = [as<Lease>(object).spec, as<Lease>(old).spec]
    if (before?.strategy === undefined) delete next?.strategy
    if (before?.preferredHolder === undefined) delete next?.preferredHolder
  },
  columns: [nameCell, column<Lease>('Holder', (object) => object.spec?.holderIdentity ?? '', { description: 'Who holds the lease.' }), ageCell],
  validate(object) {
    const { spec = {} } = as<Lease>(object)
    const errors: FieldError[] = []
    if (spec.leaseDurationSeconds !== undefined && spec.leaseDurationSeconds <= 0)
      errors.push(fieldInvalid('spec.leaseDurationSeconds', spec.leaseDurationSeconds, 'must be greater than 0'))
    if (spec.leaseTransitions !== undefined && spec.leaseTransitions < 0)
      errors.push(fieldInvalid('spec.leaseTransitions', spec.leaseTransitions, 'must be greater than or equal to 0'))
    return errors
  },
}
