import type { AdmissionRequest } from '@gantry/apiserver'

/** Whether a request is about the objects of a resource themselves, not about a subresource of them. */
export function isAbout({ definition, subresource }: AdmissionRequest, group: string, plural: string): boolean {
  return subresource === '' && definition.plural === plural && definition.group === group
}

export function isAboutPods(request: AdmissionRequest): boolean {
  return isAbout(request, '', 'pods')
}
