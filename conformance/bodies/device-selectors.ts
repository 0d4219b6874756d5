import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'

const nested = (inner: string): string =>
  `device.attributes.all(d, device.attributes[d].all(a, device.attributes.all(e, device.attributes[e].all(b, ${inner}))))`

/** Expressions that select devices, and what is wrong with them. */
const selectors: readonly (readonly [expression: string, problem?: string])[] = [
  ['true'],
  ['device.driver == "x"'],
  ['device.attributes["a.b"].c'],
  ['device.attributes["a"].?b.orValue(true)'],
  ['device.capacity["a"].b.isGreaterThan(quantity("1"))'],
  ['device.allowMultipleAllocations'],
  ['cel.bind(d, device.attributes["x"], d.a && d.b)'],
  ['device.attributes.exists(k, k.matches("a.*")) && device.driver.matches("(a+)+b")'],
  ['semver("1.2.3").isLessThan(device.attributes["a"].v)'],
  ['device.attributes.all(d, device.attributes[d].all(a, device.attributes[d].all(b, a == b)))'],
  [
    'cel.bind(1, true, true)',
    'Invalid value: "cel.bind(1, true, true)": compilation failed: ERROR: <input>:1:10: cel.bind() variable names must be simple identifiers\n | cel.bind(1, true, true)\n | .........^',
  ],
  ['dyn(true)', 'Invalid value: "dyn(true)": must evaluate to bool or the unknown type, not dyn'],
  ['1', 'Invalid value: "1": must evaluate to bool or the unknown type, not int'],
  ['device.capacity["a"].b', String.raw`Invalid value: "device.capacity[\"a\"].b": must evaluate to bool or the unknown type, not kubernetes.Quantity`],
  ['device.foo', `Invalid value: "device.foo": compilation failed: ERROR: <input>:1:7: undefined field 'foo'\n | device.foo\n | ......^`],
  ['foo', `Invalid value: "foo": compilation failed: ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo\n | ^`],
  [nested('a == b'), 'Forbidden: too complex, exceeds cost limit'],
  [nested('a.matches(b)'), 'Forbidden: too complex, exceeds cost limit'],
  [`"${'x'.repeat(10 * 1024)}" == "x"`, 'Too long: may not be more than 10240 bytes'],
]

export const deviceSelectors = conformance('selectors of devices', ({ api, claim }) => {
  const problemsOf = async (path: string, body: Json): Promise<Json[]> => {
    const { code, json } = await api.post(`${path}?dryRun=All`, body)
    assert.ok(code === 201 || code === 422, JSON.stringify(json))
    return code === 201 ? [] : json.details.causes
  }

  claim('compiles the expressions of a device class and bounds what they cost (16)', async () => {
    const found: Json[] = []
    for (const [expression] of selectors) {
      const body = { metadata: { name: uniqueName('class') }, spec: { selectors: [{ cel: { expression } }] } }
      const causes = await problemsOf('/apis/resource.k8s.io/v1/deviceclasses', body)
      found.push([expression, ...causes.map(({ message, field }) => `${field} ${message}`)])
    }

    assert.deepEqual(
      found,
      selectors.map(([expression, problem]) => [expression, ...(problem === undefined ? [] : [`spec.selectors[0].cel.expression ${problem}`])]),
    )
  })

  claim('compiles the expressions of the requests of a claim (16)', async (t) => {
    const namespace = await api.namespace(t)
    const exactly = { deviceClassName: 'x', selectors: [{ cel: { expression: 'true' } }, { cel: { expression: 'foo' } }] }
    const causes = await problemsOf(`${namespace.replace('/api/v1', '/apis/resource.k8s.io/v1')}/resourceclaims`, {
      metadata: { name: 'one' },
      spec: { devices: { requests: [{ name: 'r', exactly }] } },
    })

    assert.deepEqual(
      causes.map(({ field, reason }) => [field, reason]),
      [['spec.devices.requests[0].exactly.selectors[1].cel.expression', 'FieldValueInvalid']],
    )
  })
})
