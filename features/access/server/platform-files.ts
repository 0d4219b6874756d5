/** The data folder as the access feature sees it: small private files (mode 0600), written whole or not at all. */
export interface PrivateFiles {
  read(name: string): Promise<string | undefined>
  write(name: string, text: string): Promise<void>
  remove(name: string): Promise<void>
  /** Where a file is, for people. */
  pathOf(name: string): string
}

export const initialPasswordFile = 'initial-password'
export const adminKubeconfigFile = 'admin.kubeconfig'
