import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hideSecrets } from './hide-secrets.ts'
import { readKubeconfig, suggestName } from './kubeconfig.ts'

const kubeconfig = `apiVersion: v1
kind: Config
current-context: admin@stage
clusters:
  - name: stage
    cluster: { server: https://10.0.0.1:6443 }
contexts:
  - name: admin@stage
    context: { cluster: stage, user: admin }
  - name: lost
    context: { cluster: nowhere, user: admin }
users:
  - name: admin
    user:
      token: very-secret
      client-key-data: also-secret
      client-certificate-data: public
`

test('lists the contexts with their servers and the current one', () => {
  assert.deepEqual(readKubeconfig(kubeconfig), {
    ok: true,
    contexts: [
      { name: 'admin@stage', server: 'https://10.0.0.1:6443', isCurrent: true },
      { name: 'lost', server: undefined, isCurrent: false },
    ],
  })
})

test('says what a text is not', () => {
  assert.deepEqual(readKubeconfig('a: ['), { ok: false, problem: 'notYaml' })
  assert.deepEqual(readKubeconfig('hello'), { ok: false, problem: 'notKubeconfig' })
  assert.deepEqual(readKubeconfig('clusters: []\ncontexts: []'), { ok: false, problem: 'noContexts' })
})

test('suggests a name that a cluster may have', () => {
  assert.equal(suggestName('admin@Stage_EU'), 'stage-eu')
  assert.equal(suggestName('arn:aws:eks:eu-west-1:123:cluster/prod'), 'prod')
  assert.equal(suggestName('kind-dev'), 'kind-dev')
})

test('hides every secret on screen and nothing else', () => {
  const shown = hideSecrets(kubeconfig)
  assert.doesNotMatch(shown, /very-secret|also-secret/)
  assert.match(shown, /client-certificate-data: public/)
  assert.match(shown, /https:\/\/10\.0\.0\.1:6443/)
})
