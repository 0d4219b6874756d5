export type * from './generated/types.ts'
export type { AttachOptions, ContainerTarget, ExecOptions, LogOptions, NodeBackend, PodTarget } from './node-backend.ts'
export { resources } from './resources.ts'
