export interface LockedPackage {
  version?: string
  optional?: boolean
  dev?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}
export type LockedPackages = Record<string, LockedPackage>
export declare function addPlatformPackages(packages: LockedPackages): string[]
export declare function syncWorkspaces(
  packages: LockedPackages,
  manifestOf: (folder: string) => Pick<LockedPackage, 'dependencies' | 'devDependencies'>,
): string[]
