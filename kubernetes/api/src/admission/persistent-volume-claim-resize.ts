import { compareQuantities, parseQuantity } from '@gantry/apimachinery'
import type { AdmissionPlugin } from '@gantry/apiserver'
import { refusal } from '@gantry/apiserver'
import type { PersistentVolumeClaim, StorageClass } from '../generated/types.ts'
import { as } from '../kind.ts'
import { isAbout } from './admitted-resource.ts'
import { storageClassOf } from './default-storage-class.ts'
import type { ObjectIndex } from './object-index.ts'

/** A claim grows only while it is bound, and where its class lets it. */
export function persistentVolumeClaimResize(classes: ObjectIndex<StorageClass>): AdmissionPlugin {
  return {
    name: 'PersistentVolumeClaimResize',
    validate(request) {
      if (request.operation !== 'UPDATE' || !isAbout(request, '', 'persistentvolumeclaims')) return
      if (request.object === undefined || request.oldObject === undefined) return
      const claim = as<PersistentVolumeClaim>(request.object)
      const old = as<PersistentVolumeClaim>(request.oldObject)
      const size = claim.spec?.resources?.requests?.['storage'] ?? '0'
      const oldSize = old.spec?.resources?.requests?.['storage'] ?? '0'
      if (size === oldSize || compareQuantities(parseQuantity(size), parseQuantity(oldSize)) <= 0) return
      if (old.status?.phase !== 'Bound') throw refusal(request, 'Only bound persistent volume claims can be expanded')
      const name = storageClassOf(claim)
      if (name === '' || name !== storageClassOf(old) || classes.get('', name)?.allowVolumeExpansion !== true) {
        throw refusal(request, 'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize')
      }
    },
  }
}
