import type { AdmissionPlugin } from '@gantry/apiserver'
import { qualified } from '@gantry/apiserver'

const finalizers: Readonly<Record<string, string>> = {
  persistentvolumeclaims: 'kubernetes.io/pvc-protection',
  persistentvolumes: 'kubernetes.io/pv-protection',
  'volumeattributesclasses.storage.k8s.io': 'kubernetes.io/vac-protection',
}

/** Storage that is in use is not removed: a controller takes the finalizer away when it is not (M11). */
export const storageObjectInUseProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  mutate({ operation, definition, subresource, object }) {
    if (operation !== 'CREATE' || subresource !== '' || object === undefined) return
    const finalizer = finalizers[qualified(definition)]
    const present = object.metadata.finalizers ?? []
    if (finalizer !== undefined && !present.includes(finalizer)) object.metadata.finalizers = [...present, finalizer]
  },
}
