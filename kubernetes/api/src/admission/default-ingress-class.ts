import type { AdmissionPlugin } from '@gantry/apiserver'
import type { Ingress, IngressClass } from '../generated/types.ts'
import { as } from '../kind.ts'
import { isAbout } from './admitted-resource.ts'
import { defaultClass } from './default-class.ts'
import type { ObjectIndex } from './object-index.ts'

const annotations = ['ingressclass.kubernetes.io/is-default-class']

/** An Ingress that names no class, in the field or in the annotation of old, gets the default one (M10). */
export function defaultIngressClass(classes: ObjectIndex<IngressClass>): AdmissionPlugin {
  return {
    name: 'DefaultIngressClass',
    mutate(request) {
      if (request.operation !== 'CREATE' || !isAbout(request, 'networking.k8s.io', 'ingresses') || request.object === undefined) return
      const ingress = as<Ingress>(request.object)
      if (ingress.spec?.ingressClassName !== undefined || ingress.metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined) return
      const found = defaultClass(classes.in(''), annotations)
      if (found !== undefined) ingress.spec = { ...ingress.spec, ingressClassName: found.metadata.name ?? '' }
    },
  }
}
