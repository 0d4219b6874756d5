import { join } from 'node:path'
import { buildGo } from '../kubernetes/go-build.ts'

/** Builds Helm of a major version, pinned in its go.mod; returns its path. */
export async function buildHelm(major: 3 | 4): Promise<string> {
  const directory = await buildGo({
    name: `helm${major}`,
    module: join(import.meta.dirname, `helm${major}`),
    packages: [`helm.sh/helm/v${major}/cmd/helm`],
    sources: [],
  })
  return join(directory, 'helm')
}

/** Builds our own client programs over client-go and controller-runtime; returns their paths. */
export async function buildClientPrograms(): Promise<{ readonly informer: string; readonly controller: string }> {
  const directory = await buildGo({
    name: 'client-programs',
    module: join(import.meta.dirname, 'programs'),
    packages: ['./cmd/informer', './cmd/controller'],
    sources: ['cmd/informer/main.go', 'cmd/controller/main.go'],
  })
  return { informer: join(directory, 'informer'), controller: join(directory, 'controller') }
}
