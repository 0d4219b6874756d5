import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Api } from '../src/target.ts'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

const text = (maxLength: number): Json => ({ type: 'string', maxLength })

const fields: Json = {
  i: { type: 'integer' },
  i32: { type: 'integer', format: 'int32' },
  d: { type: 'number' },
  s: text(100),
  b: { type: 'boolean' },
  l: { type: 'array', maxItems: 10, items: { type: 'integer' } },
  ls: { type: 'array', maxItems: 10, items: text(20) },
  m: { type: 'object', maxProperties: 10, additionalProperties: { type: 'integer' } },
  o: { type: 'object', properties: { x: { type: 'integer' }, y: text(10) } },
  lo: {
    type: 'array',
    maxItems: 10,
    items: { type: 'object', required: ['k'], properties: { k: text(10), v: { type: 'integer' } } },
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['k'],
  },
  ios: { 'x-kubernetes-int-or-string': true },
  dt: { type: 'string', format: 'date-time' },
  dur: { type: 'string', format: 'duration' },
  by: { type: 'string', format: 'byte', maxLength: 50 },
  n: { type: 'integer', nullable: true },
  'a-b': { type: 'integer' },
  in: { type: 'integer' },
  set: { type: 'array', maxItems: 10, items: text(10), 'x-kubernetes-list-type': 'set' },
}

const spec: Json = {
  i: 42,
  i32: 7,
  d: 1.5,
  s: 'hello wörld',
  b: true,
  l: [3, 1, 2],
  ls: ['b', 'a'],
  m: { one: 1, two: 2 },
  o: { x: 5, y: 'why' },
  lo: [{ k: 'a', v: 1 }, { k: 'b' }],
  ios: '50%',
  dt: '2024-01-02T03:04:05Z',
  dur: '1h30m',
  by: 'aGk=',
  n: null,
  'a-b': 9,
  in: 3,
  set: ['q', 'r'],
}

/** Violated by every value; whatever an expression may cost, it is wrapped so that its type does not matter. */
const wrapped = (expression: string): string => `dyn(${expression}) == dyn(dyn('never'))`

function definition(group: string, rules: readonly Json[]): Json {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `oracles.${group}` },
    spec: {
      group,
      scope: 'Cluster',
      names: { plural: 'oracles', kind: 'Oracle' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: fields, 'x-kubernetes-validations': rules } } },
          },
        },
      ],
    },
  }
}

/** What each expression gives, as text: a rule that never holds has the expression's value for its message. */
async function valuesOf(api: Api, t: TestContext, expressions: readonly string[]): Promise<string[]> {
  const group = `${uniqueName('c')}.example.com`
  const rules = expressions.map((expression, i) => ({ rule: wrapped(expression), messageExpression: `'#${i} %s'.format([dyn(${expression})])` }))
  await api.createForTest(t, definitions, definition(group, rules))
  const path = `/apis/${group}/v1/oracles`
  await api.eventually(path, ({ code }) => code === 200)
  const { code, json } = await api.post(`${path}?dryRun=All`, { apiVersion: `${group}/v1`, kind: 'Oracle', metadata: { name: 'a' }, spec })
  assert.equal(code, 422, JSON.stringify(json))
  const messages: string[] = json.details.causes.map(({ message }: Json) => message)
  return expressions.map((expression, i) => {
    const value = messages.find((message) => `${message} `.includes(`: #${i} `))
    if (value !== undefined) return value.replace(/^Invalid value: #\d+ ?/, '')
    const failed = messages.find((message) => message.endsWith(`: ${wrapped(expression)}`)) ?? 'nothing'
    return `error: ${failed.replace(/^Invalid value: "object": /, '').replace(/(?:: call arguments did not match .*)? (?:evaluating|for) rule: .*$|: call arguments did not match .*$/s, '')}`
  })
}

/** What is wrong with each expression: the messages without the picture of the place. */
async function problemsOf(api: Api, expressions: readonly string[]): Promise<string[][]> {
  const rules = expressions.map((expression) => ({ rule: wrapped(expression) }))
  const { code, json } = await api.post(`${definitions}?dryRun=All`, definition(`${uniqueName('c')}.example.com`, rules))
  assert.equal(code, 422, JSON.stringify(json))
  return expressions.map((_, i) => {
    const cause = json.details.causes.find(({ field }: Json) => field.endsWith(`x-kubernetes-validations[${i}].rule`))
    const message: string = cause?.message ?? 'nothing'
    const [, detail] = /^(?:Invalid value: \{.*?\}|Forbidden): (.*)$/s.exec(message) ?? [undefined, message]
    return (detail ?? '').split('\n').filter((line) => !line.startsWith(' | '))
  })
}

const numbersAndTexts: readonly (readonly [expression: string, value: string])[] = [
  ['self.i + 1', '43'],
  ['self.i / 5', '8'],
  ['self.i % 5', '2'],
  ['self.i * 9223372036854775807', 'error: integer overflow'],
  ['self.i / 0', 'error: division by zero'],
  ['-self.i', '-42'],
  ['self.d * 2.0', '3'],
  ["self.s + '!'", 'hello wörld!'],
  ['self.s.size()', '11'],
  ['size(self.s)', '11'],
  ["self.s.startsWith('hell')", 'true'],
  ["self.s.endsWith('ld')", 'true'],
  ["self.s.contains('ö')", 'true'],
  ["self.s.matches('^h.*d$')", 'true'],
  ['self.s.charAt(7)', 'ö'],
  ["self.s.indexOf('l')", '2'],
  ["self.s.lastIndexOf('l')", '9'],
  ["self.s.indexOf('l', 4)", '9'],
  ['self.s.lowerAscii()', 'hello wörld'],
  ['self.s.upperAscii()', 'HELLO WöRLD'],
  ["self.s.replace('l', 'L')", 'heLLo wörLd'],
  ["self.s.replace('l', 'L', 1)", 'heLlo wörld'],
  ["self.s.replace('', '-')", '-h-e-l-l-o- -w-ö-r-l-d-'],
  ["self.s.split('')", '["h", "e", "l", "l", "o", " ", "w", "ö", "r", "l", "d"]'],
  ["self.s.split('l')", '["he", "", "o wör", "d"]'],
  ["self.s.split('l', 2)", '["he", "lo wörld"]'],
  ['self.s.substring(3)', 'lo wörld'],
  ['self.s.substring(1, 4)', 'ell'],
  ['self.s.substring(50)', 'error: index out of range: 50'],
  ["'  x '.trim()", 'x'],
  ['type(self.ios)', 'string'],
  ['type(self.ios) == string', 'true'],
  ['self.by', 'hi'],
  ['size(self.by)', '2'],
  ['string(self.by)', 'hi'],
  ['1 < 1.5', 'true'],
  ['1u < 2', 'true'],
  ['2u + 3u', '5'],
  ['1u - 2u', 'error: unsigned integer overflow'],
  ["int('12')", '12'],
  ['int(3.9)', '3'],
  ['int(-3.9)', '-3'],
  ['uint(3)', '3'],
  ["double('1.5')", '1.5'],
  ['string(1.5)', '1.5'],
  ['string(100000000.0)', '1e+08'],
  ['string(1e30)', '1e+30'],
  ['string(1)', '1'],
  ['string(true)', 'true'],
  ["string(duration('90m'))", '5400s'],
  ["string(timestamp('2024-01-02T03:04:05.123Z'))", '2024-01-02T03:04:05.123Z'],
  ["bytes('abc')", 'abc'],
  ["bool('true')", 'true'],
  ['type(1)', 'int'],
  ['type(self.l)', 'list'],
  ['type(self.m)', 'map'],
  ['type(null)', 'null_type'],
  ['type(self.dt)', 'google.protobuf.Timestamp'],
  ["type(quantity('1'))", 'kubernetes.Quantity'],
  ['dyn(1) + 1', '2'],
  ["dyn('a') + 1", "error: 'no such overload'"],
  ['true ? 1 : 2', '1'],
  ["'a' < 'b'", 'true'],
  ["b'abc' + b'd'", 'abcd'],
  ["r'\\d+'", '\\d+'],
  ["'\\u00e9'", 'é'],
  ["'''x'''", 'x'],
  ['0x1F', '31'],
  ['1e3', '1000'],
  ['.5', '0.5'],
  ['-9223372036854775808', '-9223372036854775808'],
  ["'%s %d %.2f %x %b %o %e'.format(['a', 1, 1.555, 255, 5, 8, 12345.678])", 'a 1 1.55 ff 101 10 1.234568×10⁰⁴'],
  ["'%s'.format([[1,'a',true,null,1.0]])", '[1, "a", true, null, 1.000000]'],
  ["'%s'.format([{'b':1,'a':2}])", '{"a":2, "b":1}'],
  ["'%X'.format(['hi'])", '6869'],
  ["strings.quote('a\"b\\n')", '"a\\"b\\n"'],
  ['1.0 / 0.0', '+Inf'],
  ['int', 'int'],
  ['string', 'string'],
  ['false && (1/0 == 1)', 'false'],
  ['(1/0 == 1) || true', 'true'],
  ['(1/0 == 1) || false', 'error: division by zero'],
  ["self.s.size() > 3 && self.s.matches('[a-z]+')", 'true'],
]

const listsAndMaps: readonly (readonly [expression: string, value: string])[] = [
  ["self.ls.join(',')", 'b,a'],
  ['self.l.sum()', '6'],
  ['self.l.max()', '3'],
  ['self.l.min()', '1'],
  ['self.l.isSorted()', 'false'],
  ['[].max()', 'error: max called on empty list'],
  ['self.l.indexOf(2)', '2'],
  ['self.l.lastIndexOf(9)', '-1'],
  ['self.l.map(x, x * 2)', '[6, 2, 4]'],
  ['self.l.filter(x, x > 1)', '[3, 2]'],
  ['self.l.exists(x, x > 2)', 'true'],
  ['self.l.exists_one(x, x > 1)', 'false'],
  ['self.l.all(x, x > 0)', 'true'],
  ['self.l.sort()', '[1, 2, 3]'],
  ['self.l.sortBy(x, -x)', '[3, 2, 1]'],
  ['self.l.reverse()', '[2, 1, 3]'],
  ['self.l.slice(1, 2)', '[1]'],
  ['self.l.slice(1, 9)', 'error: cannot slice(1, 9), list is length 3'],
  ['lists.range(5)', '[0, 1, 2, 3, 4]'],
  ['[[1],[2,3]].flatten()', '[1, 2, 3]'],
  ['[1,2,2,1].distinct()', '[1, 2]'],
  ['self.l.first().value()', '3'],
  ['self.l.last().orValue(0)', '2'],
  ['self.m.one', '1'],
  ["self.m['two']", '2'],
  ["self.m['three']", 'error: no such key: three'],
  ["'one' in self.m", 'true'],
  ['self.m.all(k, k.size() == 3)', 'true'],
  ['self.m.map(k, k).size()', '2'],
  ['self.m.exists(k, self.m[k] == 2)', 'true'],
  ['self.m.transformMap(k, v, v + 1)', '{"one":2, "two":3}'],
  // Go's maps have no order.
  ['self.m.transformList(k, v, v).sum()', '3'],
  ['self.l.transformList(i, v, i * v)', '[0, 1, 4]'],
  ['self.l.all(i, v, v > i)', 'false'],
  ['self.l.exists(i, v, v == i)', 'true'],
  ['self.l.existsOne(i, v, v == 3)', 'true'],
  ['self.l.transformMapEntry(i, v, {v: i})', '{1:1, 2:2, 3:0}'],
  ['self.lo[0].k', 'a'],
  ['self.lo[1].v', 'error: no such key: v'],
  ['self.lo[?5].hasValue()', 'false'],
  ['self.lo[5]', 'error: index out of bounds: 5'],
  ['self.lo.map(e, e.k)', '["a", "b"]'],
  ["self.lo.exists(e, e.k == 'b' && !has(e.v))", 'true'],
  ["self.set == ['r','q']", 'true'],
  ['self.lo == self.lo', 'true'],
  ['self.l == [3,1,2]', 'true'],
  ['3 in self.l', 'true'],
  ["'a' in ['a','b']", 'true'],
  ["{'a': 1}.a", '1'],
  ["{'a': 1, 'b': 2}", '{"a":1, "b":2}'],
  ["{1: 'x'}[1]", 'x'],
  ['self.m.size()', '2'],
  ['self.l.size() == size(self.l)', 'true'],
  ['self.l[0] + self.l[-1]', 'error: index out of bounds: -1'],
  ["{'x': 5} == {'x': 5}", 'true'],
  ['self.l.exists(x, x / 0 == 1 || x == 3)', 'true'],
  ['self.l.all(x, x / (x - 2) < 5 || true)', 'true'],
  ['[1/0]', 'error: division by zero'],
  ["{'a': 1/0}", 'error: division by zero'],
]

const fieldsAndTimes: readonly (readonly [expression: string, value: string])[] = [
  ['self.o.x', '5'],
  ['has(self.o.x)', 'true'],
  ['self.?o.?x.orValue(1)', '5'],
  ['optional.ofNonZeroValue(0).hasValue()', 'false'],
  ['self.ios', '50%'],
  ['self.ios == 3', 'false'],
  ['self.ios + 1', "error: 'no such overload'"],
  ['self.ios.size()', '3'],
  ['self.dt', '2024-01-02T03:04:05Z'],
  ['self.dt.getFullYear()', '2024'],
  ['self.dt.getMonth()', '0'],
  ["self.dt.getDayOfWeek('America/New_York')", '1'],
  ["self.dt.getHours('+02:30')", '5'],
  ["self.dt + duration('1h')", '2024-01-02T04:04:05Z'],
  ["self.dt - timestamp('2024-01-01T00:00:00Z')", '97445s'],
  ["self.dt < timestamp('2025-01-01T00:00:00Z')", 'true'],
  ['self.dur', '5400s'],
  ['self.dur.getMinutes()', '90'],
  ["self.dur + duration('30s')", '5430s'],
  ['self.n', 'error: no such key: n'],
  ['self.a__dash__b', '9'],
  ['self.__in__', '3'],
  ['timestamp(0)', '1970-01-01T00:00:00Z'],
  ['self.o == self.o', 'true'],
]

const kubernetesLibraries: readonly (readonly [expression: string, value: string])[] = [
  ["quantity('1Gi').isGreaterThan(quantity('1M'))", 'true'],
  ["quantity('x')", "error: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"],
  ["quantity('1.5').asInteger()", 'error: cannot convert value to integer'],
  ["quantity('1500m').asApproximateFloat()", '1.5'],
  ["quantity('50k').isInteger()", 'true'],
  ["quantity('1').add(quantity('2')) == quantity('3')", 'true'],
  ["quantity('1').sub(5).isLessThan(quantity('0'))", 'true'],
  ["quantity('1').compareTo(quantity('2'))", '-1'],
  ["sign(quantity('-5'))", '-1'],
  ["isQuantity('1Zi')", 'false'],
  ["ip('1.2.3.4').family()", '4'],
  ["ip('::1').isLoopback()", 'true'],
  ["ip('x')", 'error: IP Address "x" parse error during conversion from string: ParseAddr("x"): unable to parse IP'],
  ["ip('1.2.3')", 'error: IP Address "1.2.3" parse error during conversion from string: ParseAddr("1.2.3"): IPv4 address too short'],
  ["ip('1.2.3.256')", 'error: IP Address "1.2.3.256" parse error during conversion from string: ParseAddr("1.2.3.256"): IPv4 field has value >255'],
  ["ip('01.2.3.4')", 'error: IP Address "01.2.3.4" parse error during conversion from string: ParseAddr("01.2.3.4"): IPv4 field has octet with leading zero'],
  ["ip('::ffff:1.2.3.4')", 'error: IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed'],
  ["ip('fe80::1%eth0')", 'error: IP address "fe80::1%eth0" with zone value is not allowed'],
  ["ip('2001:db8::abcd') == ip('2001:DB8::ABCD')", 'true'],
  ["ip.isCanonical('2001:DB8::ABCD')", 'false'],
  ["string(ip('2001:db8:0:0:1::1'))", '2001:db8::1:0:0:1'],
  ["isIP('1.2.3.4')", 'true'],
  ["ip('224.0.0.1').isLinkLocalMulticast()", 'true'],
  ["ip('169.254.0.1').isLinkLocalUnicast()", 'true'],
  ["ip('8.8.8.8').isGlobalUnicast()", 'true'],
  ["cidr('10.0.0.0/8').containsIP('10.1.1.1')", 'true'],
  ["cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')", 'true'],
  ["cidr('10.0.0.0/8').containsCIDR(cidr('11.0.0.0/16'))", 'false'],
  ["cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')", 'true'],
  ["cidr('10.1.2.3/8').ip() == ip('10.1.2.3')", 'true'],
  ["cidr('10.1.2.3/8').prefixLength()", '8'],
  ["string(cidr('10.1.2.3/8'))", '10.1.2.3/8'],
  [
    "cidr('10.1.2.3')",
    `error: network address parse error during conversion from string: network address parse error during conversion from string: netip.ParsePrefix("10.1.2.3"): no '/'`,
  ],
  [
    "cidr('10.1.2.3/33')",
    'error: network address parse error during conversion from string: network address parse error during conversion from string: netip.ParsePrefix("10.1.2.3/33"): prefix length out of range',
  ],
  [
    "cidr('10.1.2.3/x')",
    'error: network address parse error during conversion from string: network address parse error during conversion from string: netip.ParsePrefix("10.1.2.3/x"): bad bits after slash: "x"',
  ],
  ["isCIDR('::/0')", 'true'],
  ["url('https://user:pw@h.com:80/a%20b?x=1&y=2#f').getHost()", 'h.com:80'],
  ["url('https://h.com:80/a b?x=1').getEscapedPath()", '/a%20b'],
  ["url('https://h.com:80/a?x=1&x=2').getQuery()", '{"x":["1", "2"]}'],
  ["url('https://[::1]:80/').getHostname()", '::1'],
  ["url('https://h.com/').getPort()", ''],
  ["url('/a/b').getScheme()", ''],
  ["url('a/b')", 'error: URL parse error during conversion from string: parse "a/b": invalid URI for request'],
  ["url('')", 'error: URL parse error during conversion from string: parse "": empty url'],
  ["url('https://h.com:x/')", 'error: URL parse error during conversion from string: parse "https://h.com:x/": invalid port ":x" after host'],
  ["url('https://a b.com/')", 'error: URL parse error during conversion from string: parse "https://a b.com/": invalid character " " in host name'],
  ["url('https://a/%zz')", 'error: URL parse error during conversion from string: parse "https://a/%zz": invalid URL escape "%zz"'],
  ["isURL('https://x')", 'true'],
  ["'abc123def'.find('[0-9]+')", '123'],
  ["'abc123def456'.findAll('[0-9]+')", '["123", "456"]'],
  ["'abc123def456'.findAll('[0-9]+', 1)", '["123"]'],
  ['sets.contains([1,2,3],[1])', 'true'],
  ['sets.equivalent([1,1],[1])', 'true'],
  ['sets.intersects([1],[2])', 'false'],
  ["semver('1.2.3').major()", '1'],
  ["semver('1.2.3-rc.1').isLessThan(semver('1.2.3'))", 'true'],
  ["semver('v1.2', true).minor()", '2'],
  ["semver('1.2')", 'error: No Major.Minor.Patch elements found'],
  ["semver('01.2.3')", 'error: Major number must not contain leading zeroes "01"'],
  ["isSemver('1.2.3')", 'true'],
  ["semver('1.2.3').compareTo(semver('1.10.0'))", '-1'],
  ["format.named('dns1123Label').hasValue()", 'true'],
  ["format.named('x').hasValue()", 'false'],
]

const problems: readonly (readonly [expression: string, ...lines: string[]])[] = [
  ['self.d + 1', "compilation failed: ERROR: <input>:1:12: found no matching overload for '_+_' applied to '(double, int)'"],
  ["self.s.matches('(')", 'compilation failed: ERROR: <input>:1:20: invalid matches argument'],
  [
    "['a','b'].join()",
    'estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)',
  ],
  [
    "['a','b'].join('-')",
    'estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)',
  ],
  [
    '[1,[2,[3]]].flatten(2)',
    "compilation failed: ERROR: <input>:1:8: expected type 'int' but found 'list(dyn)'",
    "ERROR: <input>:1:11: expected type 'int' but found 'list(int)'",
  ],
  ['has(self.o.z)', "compilation failed: ERROR: <input>:1:8: undefined field 'z'"],
  ['self.o.z', "compilation failed: ERROR: <input>:1:11: undefined field 'z'"],
  ['self.nope', "compilation failed: ERROR: <input>:1:9: undefined field 'nope'"],
  ['nope', "compilation failed: ERROR: <input>:1:5: undeclared reference to 'nope' (in container '')"],
  ["duration('x')", 'compilation failed: ERROR: <input>:1:14: invalid duration argument'],
  ["timestamp('x')", 'compilation failed: ERROR: <input>:1:15: invalid timestamp argument'],
  ['self.n == null', "compilation failed: ERROR: <input>:1:12: found no matching overload for '_==_' applied to '(int, null)'"],
  ['1 == 1.0', "compilation failed: ERROR: <input>:1:7: found no matching overload for '_==_' applied to '(int, double)'"],
  ["int('x')", "program instantiation failed: type conversion error from 'string' to 'int'"],
  ['uint(-3)', 'program instantiation failed: unsigned integer overflow'],
  ["double('x')", "program instantiation failed: type conversion error from 'string' to 'double'"],
  ["bool('x')", "program instantiation failed: type conversion error from 'string' to 'bool'"],
  ["{'a': 1, 'b': 'x'}", "compilation failed: ERROR: <input>:1:19: expected type 'int' but found 'string'"],
  ["[1, 'x']", "compilation failed: ERROR: <input>:1:9: expected type 'int' but found 'string'"],
  ['[1, 2.0]', "compilation failed: ERROR: <input>:1:9: expected type 'int' but found 'double'"],
  ["true ? 1 : 'x'", "compilation failed: ERROR: <input>:1:10: found no matching overload for '_?_:_' applied to '(bool, int, string)'"],
  ['1 && true', "compilation failed: ERROR: <input>:1:5: expected type 'bool' but found 'int'"],
  ['!1', "compilation failed: ERROR: <input>:1:5: found no matching overload for '!_' applied to '(int)'"],
  ["'a' < 1", "compilation failed: ERROR: <input>:1:9: found no matching overload for '_<_' applied to '(string, int)'"],
  ['9223372036854775808', 'compilation failed: ERROR: <input>:1:5: invalid int literal'],
  ["quantity('1').sign()", "compilation failed: ERROR: <input>:1:23: found no matching overload for 'sign' applied to 'kubernetes.Quantity.()'"],
  ["'abc'.find('(')", 'program instantiation failed: error parsing regexp: missing closing ): `(`'],
  ["'%d'.format(['x'])", 'compilation failed: ERROR: <input>:1:18: error during formatting: decimal clause can only be used on integers, was given string'],
  ["'%z'.format([1])", 'compilation failed: ERROR: <input>:1:16: could not parse formatting clause: unrecognized formatting clause "z"'],
  ["'%s'.format([])", 'compilation failed: ERROR: <input>:1:16: index 0 out of range'],
  [
    "jsonpatch.escapeKey('a/b')",
    "compilation failed: ERROR: <input>:1:5: undeclared reference to 'jsonpatch' (in container '')",
    "ERROR: <input>:1:24: undeclared reference to 'escapeKey' (in container '')",
  ],
  [
    'math.greatest(1, 2)',
    "compilation failed: ERROR: <input>:1:5: undeclared reference to 'math' (in container '')",
    "ERROR: <input>:1:18: undeclared reference to 'greatest' (in container '')",
  ],
  [
    'cel.bind(x, 1, x)',
    "compilation failed: ERROR: <input>:1:5: undeclared reference to 'cel' (in container '')",
    "ERROR: <input>:1:13: undeclared reference to 'bind' (in container '')",
    "ERROR: <input>:1:14: undeclared reference to 'x' (in container '')",
    "ERROR: <input>:1:20: undeclared reference to 'x' (in container '')",
  ],
  ["self.i > 'a'", "compilation failed: ERROR: <input>:1:12: found no matching overload for '_>_' applied to '(int, string)'"],
  ['self.i.foo()', "compilation failed: ERROR: <input>:1:15: undeclared reference to 'foo' (in container '')"],
  ['foo(1)', "compilation failed: ERROR: <input>:1:8: undeclared reference to 'foo' (in container '')"],
  [
    'self.i.all(x, true)',
    "compilation failed: ERROR: <input>:1:9: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)",
  ],
  ['self.l.all(x, x)', "compilation failed: ERROR: <input>:1:19: expected type 'bool' but found 'int'"],
  ['self.l.all(self.x, true)', 'compilation failed: ERROR: <input>:1:20: argument must be a simple name'],
  ['self.s[0]', "compilation failed: ERROR: <input>:1:11: found no matching overload for '_[_]' applied to '(string, int)'"],
  ['self.i[0]', "compilation failed: ERROR: <input>:1:11: found no matching overload for '_[_]' applied to '(int, int)'"],
  ["self.l['a']", "compilation failed: ERROR: <input>:1:11: found no matching overload for '_[_]' applied to '(list(int), string)'"],
  ['self.m[1]', "compilation failed: ERROR: <input>:1:11: found no matching overload for '_[_]' applied to '(map(string, int), int)'"],
  ["self.i == 'a'", "compilation failed: ERROR: <input>:1:12: found no matching overload for '_==_' applied to '(int, string)'"],
  ['self.l == self.ls', "compilation failed: ERROR: <input>:1:12: found no matching overload for '_==_' applied to '(list(int), list(string))'"],
  ['[self.i, self.s]', "compilation failed: ERROR: <input>:1:18: expected type 'int' but found 'string'"],
  ["self.i in ['a']", "compilation failed: ERROR: <input>:1:12: found no matching overload for '@in' applied to '(int, list(string))'"],
  ['self..i', "compilation failed: ERROR: <input>:1:10: Syntax error: no viable alternative at input '..'"],
  [
    'self.i +',
    "compilation failed: ERROR: <input>:1:13: Syntax error: mismatched input ')' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
  ],
  ['(self.i', "compilation failed: ERROR: <input>:1:34: Syntax error: missing ')' at '<EOF>'"],
  ['self.i)', "compilation failed: ERROR: <input>:1:12: Syntax error: mismatched input ')' expecting <EOF>"],
  ['self.', "compilation failed: ERROR: <input>:1:10: Syntax error: no viable alternative at input '.)'"],
  [
    '1 + + 1',
    "compilation failed: ERROR: <input>:1:9: Syntax error: extraneous input '+' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
  ],
  [
    'self.i @ 2',
    "compilation failed: ERROR: <input>:1:12: Syntax error: token recognition error at: '@'",
    "ERROR: <input>:1:14: Syntax error: extraneous input '2' expecting ')'",
  ],
  [
    "'abc",
    "compilation failed: ERROR: <input>:1:23: Syntax error: mismatched input 'never' expecting ')'",
    "ERROR: <input>:1:28: Syntax error: token recognition error at: ''))'",
  ],
  ['[1, 2', "compilation failed: ERROR: <input>:1:10: Syntax error: mismatched input ')' expecting {']', ','}"],
  ['{1: 2', "compilation failed: ERROR: <input>:1:10: Syntax error: mismatched input ')' expecting {'}', ','}"],
  ['a.b.c', "compilation failed: ERROR: <input>:1:5: undeclared reference to 'a' (in container '')"],
  ["true && 'x'", "compilation failed: ERROR: <input>:1:13: expected type 'bool' but found 'string'"],
  ['if', 'compilation failed: ERROR: <input>:1:5: reserved identifier: if'],
  ['self.if', "compilation failed: ERROR: <input>:1:9: undefined field 'if'"],
  ['self.l.map(x, y)', "compilation failed: ERROR: <input>:1:19: undeclared reference to 'y' (in container '')"],
  ['self.l.map(1, y)', 'compilation failed: ERROR: <input>:1:16: argument is not an identifier'],
  ['has(self)', 'compilation failed: ERROR: <input>:1:9: invalid argument to has() macro'],
  ['has(1)', 'compilation failed: ERROR: <input>:1:9: invalid argument to has() macro'],
  [
    'self.l.filter(x)',
    "compilation failed: ERROR: <input>:1:18: undeclared reference to 'filter' (in container '')",
    "ERROR: <input>:1:19: undeclared reference to 'x' (in container '')",
  ],
  ['self.s.startsWith(1)', "compilation failed: ERROR: <input>:1:22: found no matching overload for 'startsWith' applied to 'string.(int)'"],
  ['self.s.startsWith()', "compilation failed: ERROR: <input>:1:22: found no matching overload for 'startsWith' applied to 'string.()'"],
  ["timestamp('2024-02-30T00:00:00Z')", 'compilation failed: ERROR: <input>:1:15: invalid timestamp argument'],
  ["duration('1d')", 'compilation failed: ERROR: <input>:1:14: invalid duration argument'],
  ['self.i ? 1 : 2', "compilation failed: ERROR: <input>:1:12: found no matching overload for '_?_:_' applied to '(int, int, int)'"],
  ["1 == 'a'", "compilation failed: ERROR: <input>:1:7: found no matching overload for '_==_' applied to '(int, string)'"],
  ['null == 1', "compilation failed: ERROR: <input>:1:10: found no matching overload for '_==_' applied to '(null, int)'"],
]

const textsOfValues: readonly (readonly [string, string])[] = [
  ["'%.0f %.0f %.2f %.1f'.format([0.5, 1.5, 1.005, 0.25])", '0 2 1.00 0.2'],
  ["'%e %.2e'.format([1234.5678, 1234.5678])", '1.234568×10⁰³ 1.234568×10⁰³'],
  ["'%.3f'.format([2.0005])", '2.001'],
  ["'%f'.format([-0.5])", '-0.500000'],
  ["'%.0f %.0f'.format([2.5, -2.5])", '2 -2'],
  ["'aXbX'.findAll('X*')", '["", "X", "X"]'],
  ["'baab'.findAll('a*')", '["", "aa", ""]'],
  ["''.findAll('a*')", '[""]'],
  ["'abc'.findAll('a*', 2)", '["a", ""]'],
  ["'aab'.find('a*')", 'aa'],
  ["'%s'.format([timestamp('2024-01-02T03:04:05+02:00')])", '2024-01-02T03:04:05+02:00'],
  ["string(timestamp('2024-01-02T03:04:05+02:00'))", '2024-01-02T03:04:05+02:00'],
  ["string(timestamp('2024-01-02T03:04:05-05:30') + duration('1h'))", '2024-01-02T04:04:05-05:30'],
  ["timestamp('2024-01-02T03:04:05+02:00') == timestamp('2024-01-02T01:04:05Z')", 'true'],
  ["timestamp('2024-01-02T03:04:05+02:00').getHours()", '1'],
  ["timestamp('2024-01-02T03:04:05+02:00').getHours('+05:00')", '6'],
  ['dyn(1).x', 'error: no such key: x'],
  ["dyn('a').x", 'error: no such key: x'],
  ['dyn([1]).x', "error: unsupported index type 'string' in list"],
  ['dyn(null).x', 'error: no such key: x'],
  ['dyn(self.i).x', 'error: no such key: x'],
  ["isIP('1:2:3:4:5:6:7:12345')", 'false'],
  [
    "ip(':::')",
    'error: IP Address ":::" parse error during conversion from string: ParseAddr(":::"): each colon-separated field must have at least one digit (at ":")',
  ],
  [
    "ip('1:2:3:4:5:6:7:12345')",
    'error: IP Address "1:2:3:4:5:6:7:12345" parse error during conversion from string: ParseAddr("1:2:3:4:5:6:7:12345"): each group must have 4 or less digits (at "12345")',
  ],
  [
    "ip('1:::2')",
    'error: IP Address "1:::2" parse error during conversion from string: ParseAddr("1:::2"): each colon-separated field must have at least one digit (at ":2")',
  ],
]

export const cel = conformance('expressions', ({ api, claim }) => {
  const tables = {
    'numbers and texts': numbersAndTexts,
    'lists and maps': listsAndMaps,
    'fields and times': fieldsAndTimes,
    "Kubernetes' libraries": kubernetesLibraries,
    'what is written and rounded': textsOfValues,
  }
  for (const [name, table] of Object.entries(tables)) {
    claim(`evaluates expressions over ${name} (X7)`, async (t) => {
      const values = await valuesOf(
        api,
        t,
        table.map(([expression]) => expression),
      )

      assert.deepEqual(
        table.map(([expression], i) => [expression, values[i]]),
        table,
      )
    })
  }

  claim('says what is wrong with an expression, and where (X7)', async () => {
    const found = await problemsOf(
      api,
      problems.map(([expression]) => expression),
    )

    assert.deepEqual(
      problems.map(([expression], i) => [expression, ...(found[i] ?? [])]),
      problems,
    )
  })
})
