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
export { isLongRunning, openHttpTransport, parseProxy } from './http-transport.ts'
export type { HttpTransport, HttpTransportOptions } from './http-transport.ts'
export { formatKubeconfig, loadKubeconfig, mergeKubeconfig } from './kubeconfig.ts'
export { isWithoutProxy } from './no-proxy.ts'
export type { KubeconfigContent, KubeconfigOptions, KubeconfigTarget } from './kubeconfig.ts'
export { explainNetworkError, isTransportFailure, transportError, transportFailureOf } from './transport-failure.ts'
export { Slots } from './slots.ts'
export { createUpgrader } from './upgrader.ts'
export type { TransportFailure } from './transport-failure.ts'
export { safeAddresses, systemLookup } from './addresses.ts'
export type { Lookup } from './addresses.ts'
export { createDialer } from './dialer.ts'
export type { DialOptions } from './dialer.ts'
export { endToEndHeaders } from './hop-headers.ts'
export { errorOfResponse } from './error-response.ts'
export { getOrCreate } from './get-or-create.ts'
export { JsonItems } from './json-items.ts'
export { listPages } from './list-pages.ts'
export { readLines } from './line-reader.ts'
export { discoverResources } from './discovery.ts'
export type { Discovered, DiscoveredResource } from './discovery.ts'
