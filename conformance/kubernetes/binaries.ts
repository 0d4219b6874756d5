import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { buildGo } from './go-build.ts'

/** The real control plane as executables in the cache; every path is absolute. */
export interface Binaries {
  readonly directory: string
  readonly kubernetesVersion: string
  readonly etcdVersion: string
  readonly etcd: string
  readonly apiserver: string
  readonly controllerManager: string
  readonly scheduler: string
  /** Our own cmd/certs. */
  readonly certs: string
}

const module = import.meta.dirname

/** Builds kube-apiserver, kube-controller-manager, kube-scheduler and etcd from the Go modules pinned in go.mod: see `buildGo`. */
export async function buildKubernetes(options: { readonly signal?: AbortSignal } = {}): Promise<Binaries> {
  const pinned = await readPinned()
  const directory = await buildGo(
    {
      name: 'kubernetes',
      module,
      packages: [
        'go.etcd.io/etcd/server/v3',
        'k8s.io/kubernetes/cmd/kube-apiserver',
        'k8s.io/kubernetes/cmd/kube-controller-manager',
        'k8s.io/kubernetes/cmd/kube-scheduler',
        './cmd/certs',
      ],
      sources: ['cmd/certs/main.go'],
      linkerFlags: (go) => versionStamps(pinned.kubernetesVersion, go),
      finish: (built) => rename(join(built, 'server'), join(built, 'etcd')),
    },
    options.signal,
  )
  return {
    directory,
    ...pinned,
    etcd: join(directory, 'etcd'),
    apiserver: join(directory, 'kube-apiserver'),
    controllerManager: join(directory, 'kube-controller-manager'),
    scheduler: join(directory, 'kube-scheduler'),
    certs: join(directory, 'certs'),
  }
}

async function readPinned(): Promise<{ kubernetesVersion: string; etcdVersion: string }> {
  const goMod = await readFile(join(module, 'go.mod'), 'utf8')
  const versionOf = (name: string): string => {
    const version = new RegExp(`^\\t${name} (v\\S+)`, 'm').exec(goMod)?.[1]
    if (version === undefined) throw new Error(`conformance/kubernetes/go.mod requires no ${name}`)
    return version
  }
  return { kubernetesVersion: versionOf('k8s.io/kubernetes'), etcdVersion: versionOf('go.etcd.io/etcd/server/v3') }
}

/** Without these /version says v0.0.0-master. A module carries no commit, so that field stays empty. */
async function versionStamps(kubernetesVersion: string, go: (args: readonly string[]) => Promise<string>): Promise<readonly string[]> {
  const built = JSON.parse(await go(['list', '-m', '-json', 'k8s.io/kubernetes'])) as { readonly Time?: string }
  const [major, minor] = kubernetesVersion.slice(1).split('.')
  const stamps = {
    gitVersion: kubernetesVersion,
    gitMajor: major,
    gitMinor: minor,
    gitCommit: '',
    gitTreeState: 'archive',
    buildDate: built.Time ?? '1970-01-01T00:00:00Z',
  }
  return ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((into) =>
    Object.entries(stamps).map(([name, value]) => `-X ${into}.${name}=${value}`),
  )
}
