const prefix = 'system:serviceaccount:'
const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

/** Namespace and name of `system:serviceaccount:<namespace>:<name>`; undefined for every other user (A4). */
export function splitAccountName(username: string): { readonly namespace: string; readonly name: string } | undefined {
  if (!username.startsWith(prefix)) return undefined
  const [namespace = '', name = '', ...rest] = username.slice(prefix.length).split(':')
  if (rest.length > 0 || namespace.length > 63 || name.length > 253 || !dnsLabel.test(namespace) || !dnsSubdomain.test(name)) return undefined
  return { namespace, name }
}
