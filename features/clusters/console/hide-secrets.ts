/** The text on screen shows no credential: shoulders and screenshots. */
export function hideSecrets(kubeconfig: string): string {
  return kubeconfig.replace(/^(\s*(?:token|client-key-data|password|proxy):\s*)\S.*$/gm, '$1••••••••')
}
