import type { Conformance } from '../src/conformance.ts'
import { access } from './access.ts'
import { admission } from './admission.ts'
import { aggregation } from './aggregation.ts'
import { answers } from './answers.ts'
import { apply } from './apply.ts'
import { cel } from './cel.ts'
import { claimsForDevices } from './claims-for-devices.ts'
import { clusterObjects } from './cluster-objects.ts'
import { conversions } from './conversions.ts'
import { coreKinds } from './core-kinds.ts'
import { customResourceLives } from './custom-resource-lives.ts'
import { customResourceSchemas } from './custom-resource-schemas.ts'
import { customResources } from './custom-resources.ts'
import { deviceSelectors } from './device-selectors.ts'
import { discovery } from './discovery.ts'
import { flowControl } from './flow-control.ts'
import { identity } from './identity.ts'
import { minimalObjects } from './minimal-objects.ts'
import { mutatingPolicies } from './mutating-policies.ts'
import { lists } from './lists.ts'
import { nulls } from './nulls.ts'
import { otherKinds } from './other-kinds.ts'
import { patches } from './patches.ts'
import { protobuf } from './protobuf.ts'
import { proxies } from './proxies.ts'
import { refusals } from './refusals.ts'
import { requestOptions } from './request-options.ts'
import { retries } from './retries.ts'
import { selectors } from './selectors.ts'
import { statusWrites } from './status-writes.ts'
import { streams } from './streams.ts'
import { subresources } from './subresources.ts'
import { tables } from './tables.ts'
import { versions } from './versions.ts'
import { warnings } from './warnings.ts'
import { watches } from './watches.ts'
import { policies } from './policies.ts'
import { webhooks } from './webhooks.ts'
import { wire } from './wire.ts'
import { workloadKinds } from './workload-kinds.ts'
import { writes } from './writes.ts'

/** Every area, in the order of the specification. */
export const bodies: readonly Conformance[] = [
  wire,
  answers,
  protobuf,
  discovery,
  lists,
  warnings,
  watches,
  writes,
  requestOptions,
  statusWrites,
  selectors,
  nulls,
  patches,
  refusals,
  apply,
  subresources,
  streams,
  proxies,
  tables,
  clusterObjects,
  versions,
  minimalObjects,
  coreKinds,
  workloadKinds,
  otherKinds,
  customResources,
  customResourceSchemas,
  customResourceLives,
  conversions,
  cel,
  deviceSelectors,
  claimsForDevices,
  access,
  identity,
  webhooks,
  policies,
  mutatingPolicies,
  aggregation,
  admission,
  flowControl,
  retries,
]
