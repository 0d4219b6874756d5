import type { AdmissionPlugin, AdmissionRequest, ApiObject } from '@gantry/apiserver'
import { refusal } from '@gantry/apiserver'
import type { Ids } from '@gantry/runtime'
import type { Container, Pod, PodSpec, ServiceAccount } from '../generated/types.ts'
import { as } from '../kind.ts'
import { isAboutPods } from './admitted-resource.ts'
import { referencesSecrets } from './referenced-objects.ts'

// Upstream: plugin/pkg/admission/serviceaccount.

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount'
const volumePrefix = 'kube-api-access-'
const tokenSeconds = 3607
const mirrorAnnotation = 'kubernetes.io/config.mirror'
const enforceAnnotation = 'kubernetes.io/enforce-mountable-secrets'

export interface ServiceAccountAdmissionDeps {
  readonly ids: Ids
  readonly serviceAccountOf: (namespace: string, name: string) => ApiObject | undefined
}

/** Every pod runs as a service account of its namespace and finds that account's credentials mounted (M2). */
export function serviceAccountAdmission(deps: ServiceAccountAdmissionDeps): AdmissionPlugin {
  const accountOf = (request: AdmissionRequest, name: string): ServiceAccount => {
    const { namespace = '' } = request
    const found = deps.serviceAccountOf(namespace, name)
    if (found !== undefined) return as<ServiceAccount>(found)
    throw refusal(request, `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`)
  }
  return {
    name: 'ServiceAccount',
    mutate(request) {
      if (request.operation !== 'CREATE' || !isAboutPods(request) || request.object === undefined) return
      const pod = as<Pod>(request.object)
      if (isMirror(pod)) return checkMirror(request, pod)
      const { spec } = pod
      const name = spec.serviceAccountName || spec.serviceAccount || 'default'
      const account = accountOf(request, name)
      spec.serviceAccountName = name
      spec.serviceAccount = name
      if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountCredentials(pod, deps.ids)
      if ((spec.imagePullSecrets ?? []).length === 0 && (account.imagePullSecrets ?? []).length > 0)
        spec.imagePullSecrets = (account.imagePullSecrets ?? []).map(({ name: secret }) => ({ name: secret }))
      limitSecrets(request, spec, account)
    },
    validate(request) {
      const { definition, subresource, operation, object } = request
      if (object === undefined || definition.plural !== 'pods' || definition.group !== '') return
      const pod = as<Pod>(object)
      if (operation === 'UPDATE' && subresource === 'ephemeralcontainers') {
        const account = accountOf(request, nameOf(request, pod))
        if (enforces(account)) limitContainers(request, { containers: pod.spec.ephemeralContainers ?? [], what: 'ephemeral container' }, account)
      } else if (operation === 'CREATE' && subresource === '') {
        if (isMirror(pod)) return checkMirror(request, pod)
        limitSecrets(request, pod.spec, accountOf(request, nameOf(request, pod)))
      }
    },
  }
}

/** A pod that stands for one on the node itself: it is nobody's to change. */
function isMirror({ metadata }: Pod): boolean {
  return metadata.annotations?.[mirrorAnnotation] !== undefined
}

function nameOf(request: AdmissionRequest, { metadata, spec }: Pod): string {
  const name = spec.serviceAccountName ?? ''
  if (name === '') throw refusal(request, `no service account specified for pod ${request.namespace ?? ''}/${metadata.name ?? ''}`)
  return name
}

function checkMirror(request: AdmissionRequest, { spec }: Pod): void {
  if ((spec.serviceAccountName ?? '') !== '') throw refusal(request, 'a mirror pod may not reference service accounts')
  if (referencesSecrets(spec)) throw refusal(request, 'a mirror pod may not reference secrets')
  if ((spec.volumes ?? []).some((volume) => (volume.projected?.sources ?? []).some((source) => source.serviceAccountToken !== undefined))) {
    throw refusal(request, 'a mirror pod may not use ServiceAccountToken volume projections')
  }
}

function mountCredentials({ spec }: Pod, ids: Ids): void {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])]
  const without = containers.filter((container) => !(container.volumeMounts ?? []).some((mount) => mount.mountPath === mountPath))
  if (without.length === 0) return
  const present = (spec.volumes ?? []).find((volume) => volume.name.startsWith(volumePrefix))?.name
  const name = present ?? `${volumePrefix}${ids.suffix(5)}`
  for (const container of without) container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath }]
  if (present !== undefined) return
  spec.volumes = [
    ...(spec.volumes ?? []),
    {
      name,
      projected: {
        sources: [
          { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
        ],
        defaultMode: 420,
      },
    },
  ]
}

// What Go's strconv.ParseBool takes for true.
const truths: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True'])

function enforces({ metadata }: ServiceAccount): boolean {
  return truths.has(metadata.annotations?.[enforceAnnotation] ?? '')
}

/** An account may say that its pods use only the secrets that it names. */
function limitSecrets(request: AdmissionRequest, spec: PodSpec, account: ServiceAccount): void {
  if (!enforces(account)) return
  const accountName = account.metadata.name ?? ''
  const allowed = new Set((account.secrets ?? []).map(({ name = '' }) => name))
  for (const { secret } of spec.volumes ?? []) {
    if (secret === undefined || allowed.has(secret.secretName ?? '')) continue
    throw refusal(
      request,
      `volume with secret.secretName="${secret.secretName ?? ''}" is not allowed because service account ${accountName} does not reference that secret`,
    )
  }
  limitContainers(request, { containers: spec.initContainers ?? [], what: 'init container' }, account)
  limitContainers(request, { containers: spec.containers ?? [], what: 'container' }, account)
  const pullSecrets = new Set((account.imagePullSecrets ?? []).map(({ name = '' }) => name))
  for (const [index, { name = '' }] of (spec.imagePullSecrets ?? []).entries()) {
    if (pullSecrets.has(name)) continue
    throw refusal(
      request,
      `imagePullSecrets[${index}].name="${name}" is not allowed because service account ${accountName} does not reference that imagePullSecret`,
    )
  }
}

function limitContainers(
  request: AdmissionRequest,
  { containers, what }: { readonly containers: readonly Pick<Container, 'name' | 'env' | 'envFrom'>[]; readonly what: string },
  account: ServiceAccount,
): void {
  const allowed = new Set((account.secrets ?? []).map(({ name = '' }) => name))
  const refuse = (subject: string, secret: string): void => {
    if (allowed.has(secret)) return
    throw refusal(
      request,
      `${subject} referencing secret.secretName="${secret}" is not allowed because service account ${account.metadata.name ?? ''} does not reference that secret`,
    )
  }
  for (const { name, env = [], envFrom = [] } of containers) {
    for (const variable of env) {
      const reference = variable.valueFrom?.secretKeyRef
      if (reference !== undefined) refuse(`${what} ${name} with envVar ${variable.name}`, reference.name ?? '')
    }
    for (const { secretRef } of envFrom) if (secretRef !== undefined) refuse(`${what} ${name} with envFrom`, secretRef.name ?? '')
  }
}
