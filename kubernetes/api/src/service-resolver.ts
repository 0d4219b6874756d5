import { goQuote, StatusError } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import type { Service } from './generated/types.ts'
import { as } from './kind.ts'
import type { ServiceResolver } from './webhook-client.ts'

/** Addresses of services for calls that this server makes itself: the cluster's own way to them, as kube-apiserver takes by default. Upstream: apiserver pkg/util/proxy ResolveCluster. */
export function serviceResolver(serviceNamed: (namespace: string, name: string) => ApiObject | undefined): ServiceResolver {
  return ({ namespace, name, port }) => {
    const found = serviceNamed(namespace, name)
    if (found === undefined) throw new StatusError('NotFound', `service ${goQuote(name)} not found`, { details: { name, kind: 'service' } })
    const { spec } = as<Service>(found)
    switch (spec?.type) {
      case 'ExternalName':
        return { host: spec.externalName ?? '', port }
      case undefined:
      case 'ClusterIP':
      case 'NodePort':
      case 'LoadBalancer': {
        const host = spec?.clusterIP ?? ''
        if (host === '' || host === 'None') throw new StatusError('ServiceUnavailable', 'cannot route to service with ClusterIP "None"')
        if (!(spec?.ports ?? []).some((one) => one.port === port)) {
          throw new StatusError('ServiceUnavailable', `no service port ${port} found for service ${goQuote(name)}`)
        }
        return { host, port }
      }
      default:
        throw new StatusError('ServiceUnavailable', `unsupported service type ${goQuote(spec?.type ?? '')}`)
    }
  }
}
