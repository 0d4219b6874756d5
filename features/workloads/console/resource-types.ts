import type { ResourceType } from '@gantry/console-kit'

export function resource(group: string, plural: string, kind: string): ResourceType {
  return { group, version: 'v1', plural, kind, namespaced: true }
}

export const podType = resource('', 'pods', 'Pod')
export const nodeType: ResourceType = { ...resource('', 'nodes', 'Node'), namespaced: false }
export const namespaceType: ResourceType = { ...resource('', 'namespaces', 'Namespace'), namespaced: false }
export const eventType = resource('', 'events', 'Event')
