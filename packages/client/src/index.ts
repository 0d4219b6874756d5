export type {
  CallOptions,
  DeleteCallOptions,
  KubeClient,
  KubeList,
  KubeObject,
  ListOptions,
  ObjectKey,
  ObjectMeta,
  OwnerReference,
  PatchType,
  ResourceRef,
  WatchEvent,
  WriteOptions,
} from './client.ts'
export { createClient } from './create-client.ts'
export type { ClientDeps, ClientOptions } from './create-client.ts'
export { apiVersionOf, resourcePath } from './resource-path.ts'
