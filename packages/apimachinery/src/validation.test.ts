import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotFound,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  fieldTooMany,
  formatFieldError,
  invalidError,
} from './field-error.ts'
import { humanDuration } from './human-duration.ts'
import {
  configMapKeyProblems,
  dns1035LabelProblems,
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  pathSegmentProblems,
  portNameProblems,
} from './name-syntax.ts'
import { validateFieldManager, validateLabelSelector, validateObjectMeta, validateObjectMetaUpdate } from './object-meta.ts'
import type { ValidatedMeta } from './object-meta.ts'

const rules = { namespaced: true, validateName: dns1123SubdomainProblems }

function textsOf(meta: ValidatedMeta): string[] {
  return validateObjectMeta({ name: 'a', namespace: 'default', ...meta }, rules).map(formatFieldError)
}

describe('field errors', () => {
  it('print as upstream prints them', () => {
    assert.equal(formatFieldError(fieldRequired('spec.selector')), 'spec.selector: Required value')
    assert.equal(formatFieldError(fieldInvalid('spec.replicas', -1, 'must be >= 0')), 'spec.replicas: Invalid value: -1: must be >= 0')
    assert.equal(formatFieldError(fieldInvalid('a', 'x"\n', 'no')), 'a: Invalid value: "x\\"\\n": no')
    assert.equal(formatFieldError(fieldInvalid('a', { b: '<' }, 'no')), 'a: Invalid value: {"b":"\\u003c"}: no')
    assert.equal(formatFieldError(fieldInvalid('a', undefined, 'no')), 'a: Invalid value: null: no')
    assert.equal(formatFieldError(fieldNotSupported('c', 'green', ['red', 'blue'])), 'c: Unsupported value: "green": supported values: "red", "blue"')
    assert.equal(formatFieldError(fieldDuplicate('d', 'x')), 'd: Duplicate value: "x"')
    assert.equal(formatFieldError(fieldNotFound('e', 'nov')), 'e: Not found: "nov"')
    assert.equal(formatFieldError(fieldForbidden('f', 'why')), 'f: Forbidden: why')
    assert.equal(formatFieldError(fieldTooLong('g', 262_144)), 'g: Too long: may not be more than 262144 bytes')
    assert.equal(formatFieldError(fieldTooMany('h', 3, 1)), 'h: Too many: 3: must have at most 1 item')
  })

  it('become the 422 answer with one cause each', () => {
    const error = invalidError({ group: 'apps', kind: 'Deployment' }, 'web', [fieldRequired('spec.selector'), fieldInvalid('spec.replicas', -1, 'no')])
    assert.deepEqual(error.toStatus(), {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'Deployment.apps "web" is invalid: [spec.selector: Required value, spec.replicas: Invalid value: -1: no]',
      reason: 'Invalid',
      details: {
        name: 'web',
        group: 'apps',
        kind: 'Deployment',
        causes: [
          { reason: 'FieldValueRequired', message: 'Required value', field: 'spec.selector' },
          { reason: 'FieldValueInvalid', message: 'Invalid value: -1: no', field: 'spec.replicas' },
        ],
      },
      code: 422,
    })
  })

  it('say the same thing once, and need no brackets for one', () => {
    const same = fieldRequired('spec.x')
    assert.equal(invalidError({ group: '', kind: 'Pod' }, 'p', [same, same]).message, 'Pod "p" is invalid: spec.x: Required value')
    assert.equal(invalidError({ group: '', kind: 'Pod' }, 'p', []).message, 'Pod "p" is invalid')
  })
})

describe('names', () => {
  it('accept what upstream accepts', () => {
    for (const name of ['a', 'a-b.c', '0', 'a.b.c', 'a--b', 'x'.repeat(253)]) assert.deepEqual(dns1123SubdomainProblems(name), [], name)
    for (const name of ['a', '0-a', 'x'.repeat(63)]) assert.deepEqual(dns1123LabelProblems(name), [], name)
    assert.deepEqual(dns1035LabelProblems('a-0'), [])
    assert.deepEqual(pathSegmentProblems('system:a b'), [])
    assert.deepEqual(dns1123SubdomainProblems('web-', true), [])
  })

  it('say what is wrong in the words of upstream', () => {
    assert.deepEqual(dns1123SubdomainProblems('A_'), [
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ])
    assert.deepEqual(dns1123LabelProblems('-a'), [
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    ])
    assert.deepEqual(dns1123LabelProblems('a.b'), ['must not contain dots'])
    assert.deepEqual(dns1123LabelProblems('x'.repeat(64)), ['must be no more than 63 characters'])
    assert.deepEqual(dns1035LabelProblems('0a'), [
      "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
    ])
    assert.deepEqual(pathSegmentProblems('..'), [`may not be '..'`])
    assert.deepEqual(pathSegmentProblems('a/b%'), [`may not contain '/'`, `may not contain '%'`])
    assert.deepEqual(portNameProblems('-1--'), [
      'must contain at least one letter (a-z)',
      'must not contain consecutive hyphens',
      'must not begin or end with a hyphen',
    ])
    assert.deepEqual(configMapKeyProblems('..a'), [`must not start with '..'`])
  })

  it('are checked in linear time', () => {
    assert.equal(dns1123SubdomainProblems(`${'a-'.repeat(50_000)}!`).length, 2)
  })
})

describe('validateObjectMeta', () => {
  it('accepts ordinary metadata', () => {
    assert.deepEqual(textsOf({ labels: { 'app.kubernetes.io/name': 'x', a: '' }, annotations: { 'Any/Thing': '…' }, finalizers: ['kubernetes', 'a.b/c'] }), [])
  })

  it('needs a name, and a namespace where the kind has one', () => {
    assert.deepEqual(validateObjectMeta({}, rules).map(formatFieldError), [
      'metadata.name: Required value: name or generateName is required',
      'metadata.namespace: Required value',
    ])
    assert.deepEqual(validateObjectMeta({ name: 'a', namespace: 'b' }, { ...rules, namespaced: false }).map(formatFieldError), [
      'metadata.namespace: Forbidden: not allowed on this type',
    ])
  })

  it('checks labels and annotations', () => {
    const [first = '', second = ''] = textsOf({ labels: { 'a b': 'x', ok: '-' } })
    assert.match(first, /^metadata\.labels: Invalid value: "a b": name part must consist of alphanumeric characters/)
    assert.match(second, /^metadata\.labels: Invalid value: "-": a valid label must be an empty string or consist of/)
    assert.deepEqual(textsOf({ annotations: { a: 'x'.repeat(262_144) } }), ['metadata.annotations: Too long: may not be more than 262144 bytes'])
  })

  it('checks owners', () => {
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'a', uid: '1', controller: true }
    assert.deepEqual(textsOf({ ownerReferences: [{ ...owner, uid: '', apiVersion: '' }] }), [
      'metadata.ownerReferences.apiVersion: Invalid value: "": version must not be empty',
      'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
    ])
    const [two = ''] = textsOf({ ownerReferences: [owner, { ...owner, name: 'b' }] })
    assert.ok(two.endsWith('Only one reference can have Controller set to true. Found "true" in references for ReplicaSet/a and ReplicaSet/b'))
  })

  it('wants finalizers of others to be qualified', () => {
    assert.deepEqual(textsOf({ finalizers: ['mine'] }), [
      'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    ])
    assert.deepEqual(validateObjectMeta({ name: 'a', namespace: 'b', finalizers: ['mine'] }, { ...rules, qualifiedFinalizers: false }), [])
    assert.deepEqual(textsOf({ finalizers: ['orphan', 'foregroundDeletion'] }), [
      'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
    ])
  })

  it('refuses changes of what cannot change', () => {
    const old = { name: 'a', namespace: 'n', uid: '1', creationTimestamp: '2026-01-01T00:00:00Z', generation: 2 }
    assert.deepEqual(validateObjectMetaUpdate(old, old), [])
    assert.deepEqual(validateObjectMetaUpdate({ ...old, name: 'b', uid: '2', creationTimestamp: null, generation: 1 }, old).map(formatFieldError), [
      'metadata.generation: Invalid value: 1: must not be decremented',
      'metadata.name: Invalid value: "b": field is immutable',
      'metadata.uid: Invalid value: "2": field is immutable',
      'metadata.creationTimestamp: Invalid value: null: field is immutable',
    ])
  })

  it('refuses new finalizers while the object is being deleted', () => {
    const old = { name: 'a', finalizers: ['a/x'], deletionTimestamp: '2026-01-01T00:00:00Z' }
    assert.deepEqual(validateObjectMetaUpdate({ ...old, finalizers: [] }, old), [])
    assert.deepEqual(validateObjectMetaUpdate({ ...old, finalizers: ['a/x', 'a/z', 'a/y'] }, old).map(formatFieldError), [
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a/y", "a/z"}',
    ])
  })

  it('checks field managers', () => {
    assert.deepEqual(validateFieldManager('kubectl'), [])
    assert.deepEqual(validateFieldManager('a\nb').map(formatFieldError), ['fieldManager: Invalid value: "a\\nb": invalid character U+000A (at position 1)'])
    assert.deepEqual(validateFieldManager('x'.repeat(129)).map(formatFieldError), ['fieldManager: Too long: may not be more than 128 bytes'])
  })
})

describe('validateLabelSelector', () => {
  it('checks operators and their values', () => {
    const selector = {
      matchLabels: { a: 'b' },
      matchExpressions: [
        { key: 'a', operator: 'In' },
        { key: 'a', operator: 'Exists', values: ['x'] },
        { key: 'a', operator: 'Like', values: ['x'] },
        { key: 'a', operator: 'NotIn', values: ['x'] },
      ],
    }
    assert.deepEqual(validateLabelSelector(selector, 'spec.selector').map(formatFieldError), [
      "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      "spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      'spec.selector.matchExpressions[2].operator: Invalid value: "Like": not a valid selector operator',
    ])
  })
})

describe('humanDuration', () => {
  it('prints two or three figures', () => {
    const s = 1000
    const cases: [number, string][] = [
      [-2 * s, '<invalid>'],
      [-1500, '0s'],
      [999, '0s'],
      [119 * s, '119s'],
      [120 * s, '2m'],
      [192 * s, '3m12s'],
      [600 * s, '10m'],
      [179 * 60 * s, '179m'],
      [180 * 60 * s, '3h'],
      [330 * 60 * s, '5h30m'],
      [8 * 3600 * s, '8h'],
      [47 * 3600 * s, '47h'],
      [48 * 3600 * s, '2d'],
      [52 * 3600 * s, '2d4h'],
      [8 * 24 * 3600 * s, '8d'],
      [729 * 24 * 3600 * s, '729d'],
      [730 * 24 * 3600 * s, '2y'],
      [740 * 24 * 3600 * s, '2y10d'],
      [8 * 365 * 24 * 3600 * s, '8y'],
    ]
    for (const [ms, text] of cases) assert.equal(humanDuration(ms), text)
  })
})
