/** What `/version` answers: the Kubernetes release whose types and behaviour this server has, and whose build it is. */
export function versionInfo(
  kubernetesVersion: string,
  build: { readonly gantryVersion: string; readonly platform: string; readonly runtime: string },
): Readonly<Record<string, string>> {
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)/.exec(kubernetesVersion) ?? []
  return {
    major,
    minor,
    emulationMajor: major,
    emulationMinor: minor,
    minCompatibilityMajor: major,
    minCompatibilityMinor: String(Number(minor) - 1),
    gitVersion: `${kubernetesVersion}+gantry${build.gantryVersion}`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: build.runtime,
    compiler: 'v8',
    platform: build.platform,
  }
}
