import { compareQuantities, parseQuantity } from '@gantry/apimachinery'
import type { AdmissionPlugin, AdmissionRequest } from '@gantry/apiserver'
import { refusal } from '@gantry/apiserver'
import type { Pod, RuntimeClass, Toleration } from '../generated/types.ts'
import { as } from '../kind.ts'
import { isAboutPods } from './admitted-resource.ts'
import type { ObjectIndex } from './object-index.ts'

type Amounts = Readonly<Record<string, string>>

/** A pod costs and is placed as the class of its runtime says (M13). */
export function runtimeClass(classes: ObjectIndex<RuntimeClass>): AdmissionPlugin {
  const classOf = (request: AdmissionRequest, { spec }: Pod): RuntimeClass | undefined => {
    if (spec.runtimeClassName === undefined) return undefined
    const found = classes.get('', spec.runtimeClassName)
    if (found === undefined) throw refusal(request, `pod rejected: RuntimeClass ${JSON.stringify(spec.runtimeClassName)} not found`)
    return found
  }
  return {
    name: 'RuntimeClass',
    mutate(request) {
      if (request.operation !== 'CREATE' || !isAboutPods(request) || request.object === undefined) return
      const pod = as<Pod>(request.object)
      const found = classOf(request, pod)
      if (found?.overhead !== undefined) {
        const overhead = found.overhead.podFixed ?? {}
        if (Object.keys(pod.spec.overhead ?? {}).length > 0 && !sameAmounts(overhead, pod.spec.overhead ?? {})) throw overheadDiffers(request)
        pod.spec.overhead = { ...overhead }
      }
      if (found?.scheduling !== undefined) place(request, pod, found.scheduling)
    },
    validate(request) {
      if (request.operation !== 'CREATE' || !isAboutPods(request) || request.object === undefined) return
      const pod = as<Pod>(request.object)
      const overhead = classOf(request, pod)?.overhead
      if (overhead !== undefined) {
        if (!sameAmounts(overhead.podFixed ?? {}, pod.spec.overhead ?? {})) throw overheadDiffers(request)
      } else if (pod.spec.overhead !== undefined) {
        throw refusal(request, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead')
      }
    },
  }
}

function overheadDiffers(request: AdmissionRequest): Error {
  return refusal(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
}

function place(request: AdmissionRequest, { spec }: Pod, scheduling: NonNullable<RuntimeClass['scheduling']>): void {
  const selector: Record<string, string> = { ...spec.nodeSelector }
  for (const [key, value] of Object.entries(scheduling.nodeSelector ?? {})) {
    const own = spec.nodeSelector?.[key]
    if (own !== undefined && own !== value) {
      throw refusal(request, `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`)
    }
    selector[key] = value
  }
  if (Object.keys(selector).length > 0) spec.nodeSelector = selector
  spec.tolerations = mergeTolerations([...(spec.tolerations ?? []), ...(scheduling.tolerations ?? [])])
}

/** Leaves out what another one covers; of equal ones the first stays. */
function mergeTolerations(all: readonly Toleration[]): Toleration[] {
  const merged: Toleration[] = []
  for (const [index, one] of all.entries()) {
    if (merged.some((kept) => covers(kept, one))) continue
    if (all.slice(index + 1).some((later) => !isSame(later, one) && covers(later, one))) continue
    merged.push(one)
  }
  return merged
}

function isSame(a: Toleration, b: Toleration): boolean {
  return (
    (a.key ?? '') === (b.key ?? '') &&
    (a.operator ?? '') === (b.operator ?? '') &&
    (a.value ?? '') === (b.value ?? '') &&
    (a.effect ?? '') === (b.effect ?? '') &&
    a.tolerationSeconds === b.tolerationSeconds
  )
}

function covers(wide: Toleration, one: Toleration): boolean {
  if (isSame(wide, one)) return true
  const wideKey = wide.key ?? ''
  const wideEffect = wide.effect ?? ''
  if ((one.key ?? '') !== wideKey && (wideKey !== '' || wide.operator !== 'Exists')) return false
  if ((one.effect ?? '') !== wideEffect && wideEffect !== '') return false
  if (
    wideEffect === 'NoExecute' &&
    wide.tolerationSeconds !== undefined &&
    (one.tolerationSeconds === undefined || one.tolerationSeconds > wide.tolerationSeconds)
  ) {
    return false
  }
  if (wide.operator === 'Exists') return true
  return (wide.operator ?? 'Equal') === 'Equal' && one.operator === 'Equal' && (one.value ?? '') === (wide.value ?? '')
}

function sameAmounts(a: Amounts, b: Amounts): boolean {
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  return names.every((name) => b[name] !== undefined && compareQuantities(parseQuantity(a[name] ?? '0'), parseQuantity(b[name])) === 0)
}
