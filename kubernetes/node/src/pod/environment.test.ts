import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ContainerConfigError, environmentOf, serviceVariablesOf } from './environment.ts'
import type { ConfigSource } from './environment.ts'
import { expand } from './expansion.ts'
import type { Container } from './pod.ts'
import { containerNamed, podWith } from './testing/pods.ts'

const source: ConfigSource = {
  configMap: (name) => Promise.resolve(name === 'settings' ? { data: { A: '1', B: '2' }, binaryData: {} } : undefined),
  secret: (name) => Promise.resolve(name === 'keys' ? { type: 'Opaque', data: { TOKEN: Buffer.from('hush') } } : undefined),
}

async function variablesOf(container: Partial<Container>, serviceVariables: Record<string, string> = {}): Promise<Readonly<Record<string, string>>> {
  const whole = containerNamed('c', container)
  const pod = podWith({ containers: [whole] }, { metadata: { labels: { app: 'web' } } })
  const variables = await environmentOf({
    pod,
    container: whole,
    source,
    serviceVariables,
    addresses: { hostIPs: ['192.0.2.1'], podIPs: ['10.42.0.2', 'fd00::2'] },
    capacity: { cpuMilli: 4_000, memoryBytes: 8 << 20, ephemeralStorageBytes: 0 },
  })
  return Object.fromEntries(variables)
}

test('expands what it knows and leaves the rest as written', () => {
  const lookup = (name: string): string | undefined => ({ A: 'a', B: '$(A)' })[name]

  assert.equal(expand('$(A)-$(B)-$(C)-$$(A)-$A-$(', lookup), 'a-$(A)-$(C)-$(A)-$A-$(')
})

test('later variables see earlier ones, and services come last', async () => {
  const found = await variablesOf(
    {
      envFrom: [{ prefix: 'P_', configMapRef: { name: 'settings' } }, { secretRef: { name: 'keys' } }],
      env: [
        { name: 'X', value: '$(P_A)$(Y)$(S)' },
        { name: 'Y', value: 'late' },
        { name: 'P_B', value: 'own' },
      ],
    },
    { S: 'svc', Y: 'never' },
  )

  assert.deepEqual(found, { P_A: '1', P_B: 'own', TOKEN: 'hush', X: '1neversvc', Y: 'late', S: 'svc' })
})

test('reads fields and resources of the pod', async () => {
  const field = (name: string, fieldPath: string): NonNullable<Container['env']>[number] => ({ name, valueFrom: { fieldRef: { fieldPath } } })
  const resource = (name: string, text: string, divisor?: string): NonNullable<Container['env']>[number] => ({
    name,
    valueFrom: { resourceFieldRef: { resource: text, ...(divisor === undefined ? {} : { divisor }) } },
  })
  const found = await variablesOf({
    resources: { limits: { memory: '64Mi' }, requests: { cpu: '250m' } },
    env: [
      field('NAME', 'metadata.name'),
      field('APP', "metadata.labels['app']"),
      field('IPS', 'status.podIPs'),
      field('HOST', 'status.hostIP'),
      resource('MEM', 'limits.memory', '1Mi'),
      resource('CPU', 'requests.cpu', '1m'),
      resource('CORES', 'requests.cpu'),
      resource('ALL', 'limits.cpu'),
    ],
  })

  assert.deepEqual(found, { NAME: 'web', APP: 'web', IPS: '10.42.0.2,fd00::2', HOST: '192.0.2.1', MEM: '64', CPU: '250', CORES: '1', ALL: '4' })
})

const problems: readonly (readonly [Partial<Container>, string])[] = [
  [{ envFrom: [{ configMapRef: { name: 'none' } }] }, 'configmap "none" not found'],
  [{ envFrom: [{ secretRef: { name: 'none' } }] }, 'secret "none" not found'],
  [{ env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'settings', key: 'Z' } } }] }, "couldn't find key Z in ConfigMap ns/settings"],
  [{ env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'keys', key: 'Z' } } }] }, "couldn't find key Z in Secret ns/keys"],
]

for (const [container, message] of problems) {
  test(`refuses with: ${message}`, async () => {
    await assert.rejects(variablesOf(container), (error) => error instanceof ContainerConfigError && error.message === message)
  })
}

test('leaves out what is optional and not there', async () => {
  const found = await variablesOf({
    envFrom: [{ configMapRef: { name: 'none', optional: true } }],
    env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'none', key: 'k', optional: true } } }],
  })

  assert.deepEqual(found, {})
})

test('names services the way Docker links did', () => {
  const found = serviceVariablesOf([
    { name: 'my-db', clusterIP: '10.43.0.9', ports: [{ name: 'sql', port: 5432 }] },
    { name: 'headless', clusterIP: 'None', ports: [{ port: 1 }] },
  ])

  assert.deepEqual(found, {
    MY_DB_SERVICE_HOST: '10.43.0.9',
    MY_DB_SERVICE_PORT: '5432',
    MY_DB_SERVICE_PORT_SQL: '5432',
    MY_DB_PORT: 'tcp://10.43.0.9:5432',
    MY_DB_PORT_5432_TCP: 'tcp://10.43.0.9:5432',
    MY_DB_PORT_5432_TCP_PROTO: 'tcp',
    MY_DB_PORT_5432_TCP_PORT: '5432',
    MY_DB_PORT_5432_TCP_ADDR: '10.43.0.9',
  })
})
