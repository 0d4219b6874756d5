import { fieldForbidden, fieldInvalid } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { PodSpec, Toleration } from '../generated/types.ts'
import { validateTolerations } from './affinity-validation.ts'
import { validateDescendingPath } from './path-validation.ts'
import { allContainers } from './pod-spec-validation.ts'

// Annotations that once were fields, and their rules. Upstream: ValidatePodSpecificAnnotations.

export const mirrorAnnotation = 'kubernetes.io/config.mirror'
const tolerationsAnnotation = 'scheduler.alpha.kubernetes.io/tolerations'
const deletionCost = 'controller.kubernetes.io/pod-deletion-cost'
const seccompOfPod = 'seccomp.security.alpha.kubernetes.io/pod'
const seccompOfContainer = 'container.seccomp.security.alpha.kubernetes.io/'
export const appArmorOfContainer = 'container.apparmor.security.beta.kubernetes.io/'

type Annotations = Readonly<Record<string, string>>

export function validatePodAnnotations(annotations: Annotations, spec: PodSpec, path: string): FieldError[] {
  const errors: FieldError[] = []
  const mirror = annotations[mirrorAnnotation]
  if (mirror !== undefined && (spec.nodeName ?? '') === '')
    errors.push(fieldInvalid(`${path}[${mirrorAnnotation}]`, mirror, 'must set spec.nodeName if mirror pod annotation is set'))
  const tolerations = annotations[tolerationsAnnotation] ?? ''
  if (tolerations !== '') errors.push(...validateTolerationsText(tolerations, path))
  const cost = annotations[deletionCost]
  if (cost !== undefined && !isInt32(cost)) errors.push(fieldInvalid(`${path}[${deletionCost}]`, cost, 'must be a 32bit integer'))
  for (const [key, profile] of Object.entries(annotations)) {
    if (key === seccompOfPod || key.startsWith(seccompOfContainer)) errors.push(...validateSeccomp(profile, `${path}.${key}`))
    if (!key.startsWith(appArmorOfContainer)) continue
    const name = key.slice(appArmorOfContainer.length)
    if (!allContainers(spec, 'spec').some(({ container }) => container.name === name)) errors.push(fieldInvalid(`${path}[${key}]`, name, 'container not found'))
    if (profile !== '' && profile !== 'runtime/default' && profile !== 'unconfined' && !profile.startsWith('localhost/'))
      errors.push(fieldInvalid(`${path}[${key}]`, profile, `invalid AppArmor profile name: ${JSON.stringify(profile)}`))
  }
  return errors
}

function validateTolerationsText(text: string, path: string): FieldError[] {
  let tolerations: unknown
  try {
    tolerations = JSON.parse(text)
  } catch (error) {
    return [fieldInvalid(path, tolerationsAnnotation, error instanceof Error ? error.message : String(error))]
  }
  if (!Array.isArray(tolerations)) return [fieldInvalid(path, tolerationsAnnotation, 'must be a list of tolerations')]
  return validateTolerations(tolerations as Toleration[], `${path}.${tolerationsAnnotation}`)
}

function isInt32(text: string): boolean {
  const value = Number(text)
  // A leading plus sign or zero is no canonical number to upstream.
  return /^(?:0|-?[1-9]\d*)$/.test(text) && value >= -(2 ** 31) && value < 2 ** 31
}

function validateSeccomp(profile: string, path: string): FieldError[] {
  if (profile === 'runtime/default' || profile === 'docker/default' || profile === 'unconfined') return []
  if (profile.startsWith('localhost/')) return validateDescendingPath(profile.slice('localhost/'.length), path)
  return [fieldInvalid(path, profile, 'must be a valid seccomp profile')]
}

interface Profile {
  readonly type?: string | undefined
  readonly localhostProfile?: string | undefined
}

/** A profile that is said twice, in an annotation and in a field, must be the same. */
export function validateProfileAnnotations(annotations: Annotations, spec: PodSpec, path: string): FieldError[] {
  if (Object.keys(annotations).length === 0) return []
  const containers = allContainers(spec, path)
  const pod = spec.securityContext
  return [
    ...compare(annotations[seccompOfPod], pod?.seccompProfile, `${path}.securityContext.seccompProfile`, 'seccomp'),
    ...containers.flatMap(({ container, path: at }) =>
      compare(annotations[seccompOfContainer + container.name], container.securityContext?.seccompProfile, `${at}.securityContext.seccompProfile`, 'seccomp'),
    ),
    ...(spec.os?.name === 'windows' ? [] : containers).flatMap(({ container, path: at }) =>
      compare(
        annotations[appArmorOfContainer + container.name],
        container.securityContext?.appArmorProfile ?? pod?.appArmorProfile,
        `${at}.securityContext.appArmorProfile`,
        'apparmor',
      ),
    ),
  ]
}

function compare(annotation: string | undefined, profile: Profile | undefined, path: string, what: 'seccomp' | 'apparmor'): FieldError[] {
  if (annotation === undefined || profile === undefined) return []
  const types: Readonly<Record<string, readonly string[]>> = {
    Unconfined: ['unconfined'],
    RuntimeDefault: what === 'seccomp' ? ['runtime/default', 'docker/default'] : ['runtime/default'],
  }
  const differs = fieldForbidden(`${path}.type`, `${what} type in annotation and field must match`)
  if (profile.type === 'Localhost') {
    if (!annotation.startsWith('localhost/')) return [differs]
    return annotation.slice('localhost/'.length) === profile.localhostProfile
      ? []
      : [fieldForbidden(`${path}.localhostProfile`, `${what} profile in annotation and field must match`)]
  }
  const known = Object.hasOwn(types, profile.type ?? '') ? types[profile.type ?? ''] : undefined
  return known === undefined || known.includes(annotation) ? [] : [differs]
}
