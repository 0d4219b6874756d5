import type { AdmissionPlugin } from '@gantry/apiserver'
import type { PersistentVolumeClaim, StorageClass } from '../generated/types.ts'
import { as } from '../kind.ts'
import { isAbout } from './admitted-resource.ts'
import { defaultClass } from './default-class.ts'
import type { ObjectIndex } from './object-index.ts'

const betaClassAnnotation = 'volume.beta.kubernetes.io/storage-class'
const annotations = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class']

/** A claim that names no class (not even '') gets the default one (M10). */
export function defaultStorageClass(classes: ObjectIndex<StorageClass>): AdmissionPlugin {
  return {
    name: 'DefaultStorageClass',
    mutate(request) {
      if (request.operation !== 'CREATE' || !isAbout(request, '', 'persistentvolumeclaims') || request.object === undefined) return
      const claim = as<PersistentVolumeClaim>(request.object)
      if (claim.spec?.storageClassName !== undefined || claim.metadata.annotations?.[betaClassAnnotation] !== undefined) return
      const found = defaultClass(classes.in(''), annotations)
      if (found !== undefined) claim.spec = { ...claim.spec, storageClassName: found.metadata.name ?? '' }
    },
  }
}

/** The class of a claim: the annotation of old counts before the field. */
export function storageClassOf(claim: PersistentVolumeClaim): string {
  return claim.metadata.annotations?.[betaClassAnnotation] ?? claim.spec?.storageClassName ?? ''
}
