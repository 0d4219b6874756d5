/** What the import dialog holds. */
export interface ImportForm {
  readonly way: 'kubeconfig' | 'token' | 'agent'
  readonly name: string
  readonly kubeconfig: string
  readonly context: string
  readonly server: string
  readonly token: string
  readonly caData: string
  readonly isInsecure: boolean
  /** Of the way to the cluster, or of its agent's way to here. */
  readonly proxyURL: string
  /** Where an agent finds this platform. */
  readonly hub: string
  readonly access: string
}

/** The body of the import request: only what belongs to the chosen way, only what was filled in. */
export function importRequest(form: ImportForm): Readonly<Record<string, unknown>> {
  const name = form.name.trim()
  const proxy = form.proxyURL.trim() === '' ? {} : { proxyURL: form.proxyURL.trim() }
  if (form.way === 'agent') return { name, agent: { hub: form.hub.trim(), access: form.access.trim(), ...proxy } }
  if (form.way === 'kubeconfig') return { name, kubeconfig: form.kubeconfig, ...(form.context === '' ? {} : { context: form.context }) }
  return {
    name,
    server: form.server.trim(),
    token: form.token.trim(),
    ...(form.caData.trim() === '' ? {} : { caData: form.caData }),
    ...(form.isInsecure ? { insecureSkipTLSVerify: true } : {}),
    ...proxy,
  }
}

/** Where an agent finds this platform, as far as this page knows: an address that leads here from this machine alone is none. */
export function hubOf(origin: string): string {
  return /^https:\/\/(?!localhost|127\.|\[::1\])/.test(origin) ? origin : ''
}
