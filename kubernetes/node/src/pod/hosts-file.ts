import { isHostNetwork } from './pod.ts'
import type { Pod } from './pod.ts'
import { hostnameOf } from './sandbox-config.ts'

const loopback = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'fe00::0\tip6-mcastprefix',
  'fe00::1\tip6-allnodes',
  'fe00::2\tip6-allrouters',
]

/** The pod's /etc/hosts; upstream: kubelet_pods.go nodeHostsFileContent, managedHostsFileContent. */
export function hostsFileOf(pod: Pod, podIPs: readonly string[], options: { readonly hostFile: string; readonly clusterDomain: string }): string {
  const { subdomain } = pod.spec
  const hostname = hostnameOf(pod)
  const domain = subdomain === undefined || subdomain === '' ? '' : `${hostname}.${subdomain}.${pod.metadata.namespace ?? ''}.svc.${options.clusterDomain}\t`
  const head = isHostNetwork(pod)
    ? `# Kubernetes-managed hosts file (host network).\n${options.hostFile}`
    : ['# Kubernetes-managed hosts file.', ...loopback, ...podIPs.map((ip) => `${ip}\t${domain}${hostname}`), ''].join('\n')
  const aliases = (pod.spec.hostAliases ?? []).map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}`)
  return aliases.length === 0 ? head : `${head}${['', '# Entries added by HostAliases.', ...aliases, ''].join('\n')}`
}
