import { createEventRecorder } from '@gantry/controller'
import type { EventRecorder, EventRecorderDeps, EventSubject } from '@gantry/controller'

/** Tells users what happens to their pods and to the node. Never waits, never fails. */
export interface NodeEvents {
  normal(subject: EventSubject, reason: string, message: string): void
  warning(subject: EventSubject, reason: string, message: string): void
  readonly recorder: EventRecorder
}

export function createNodeEvents(deps: EventRecorderDeps, nodeName: string): NodeEvents {
  const recorder = createEventRecorder(deps, { component: 'kubelet', host: nodeName })
  return {
    normal: (subject, reason, message) => recorder.record(subject, { type: 'Normal', reason, message }),
    warning: (subject, reason, message) => recorder.record(subject, { type: 'Warning', reason, message }),
    recorder,
  }
}
