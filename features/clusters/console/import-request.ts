/** What the import dialog holds. */
export interface ImportForm {
  readonly way: 'kubeconfig' | 'token'
  readonly name: string
  readonly kubeconfig: string
  readonly context: string
  readonly server: string
  readonly token: string
  readonly caData: string
  readonly isInsecure: boolean
}

/** The body of the import request: only what belongs to the chosen way, only what was filled in. */
export function importRequest(form: ImportForm): Readonly<Record<string, string | boolean>> {
  const name = form.name.trim()
  if (form.way === 'kubeconfig') return { name, kubeconfig: form.kubeconfig, ...(form.context === '' ? {} : { context: form.context }) }
  return {
    name,
    server: form.server.trim(),
    token: form.token.trim(),
    ...(form.caData.trim() === '' ? {} : { caData: form.caData }),
    ...(form.isInsecure ? { insecureSkipTLSVerify: true } : {}),
  }
}
