// Some of upstream's messages show objects in its internal types: Go's field names and order, absent values written out.

/** Go's name, the name in JSON, and what is inside: `null` for what may be absent, a text or number for its zero value. */
type Field = readonly [goName: string, jsonName: string, zero: unknown, inner?: readonly Field[]]

const selector: readonly Field[] = [['CEL', 'cel', null, [['Expression', 'expression', '']]]]
const toleration: readonly Field[] = [
  ['Key', 'key', ''],
  ['Operator', 'operator', ''],
  ['Value', 'value', ''],
  ['Effect', 'effect', ''],
  ['TolerationSeconds', 'tolerationSeconds', null],
]
const capacity: readonly Field[] = [['Requests', 'requests', null]]
const wanted: readonly Field[] = [
  ['DeviceClassName', 'deviceClassName', ''],
  ['Selectors', 'selectors', null, selector],
  ['AllocationMode', 'allocationMode', ''],
  ['Count', 'count', 0],
]
const opaque: readonly Field[] = [
  ['Driver', 'driver', ''],
  ['Parameters', 'parameters', null],
]
const claim: readonly Field[] = [
  [
    'Requests',
    'requests',
    null,
    [
      ['Name', 'name', ''],
      [
        'Exactly',
        'exactly',
        null,
        [...wanted, ['AdminAccess', 'adminAccess', null], ['Tolerations', 'tolerations', null, toleration], ['Capacity', 'capacity', null, capacity]],
      ],
      [
        'FirstAvailable',
        'firstAvailable',
        null,
        [['Name', 'name', ''], ...wanted, ['Tolerations', 'tolerations', null, toleration], ['Capacity', 'capacity', null, capacity]],
      ],
    ],
  ],
  [
    'Constraints',
    'constraints',
    null,
    [
      ['Requests', 'requests', null],
      ['MatchAttribute', 'matchAttribute', null],
      ['DistinctAttribute', 'distinctAttribute', null],
    ],
  ],
  [
    'Config',
    'config',
    null,
    [
      ['Requests', 'requests', null],
      ['Opaque', 'opaque', null, opaque],
    ],
  ],
]
export const claimSpecShape: readonly Field[] = [['Devices', 'devices', {}, claim]]
export const claimTemplateSpecShape: readonly Field[] = [['Spec', 'spec', {}, claimSpecShape]]
const result: readonly Field[] = [
  ['Request', 'request', ''],
  ['Driver', 'driver', ''],
  ['Pool', 'pool', ''],
  ['Device', 'device', ''],
  ['AdminAccess', 'adminAccess', null],
  ['Tolerations', 'tolerations', null, toleration],
  ['BindingConditions', 'bindingConditions', null],
  ['BindingFailureConditions', 'bindingFailureConditions', null],
  ['ShareID', 'shareID', null],
  ['ConsumedCapacity', 'consumedCapacity', null],
]
const allocatedConfig: readonly Field[] = [
  ['Source', 'source', ''],
  ['Requests', 'requests', null],
  ['Opaque', 'opaque', null, opaque],
]
const requirement: readonly Field[] = [
  ['Key', 'key', ''],
  ['Operator', 'operator', ''],
  ['Values', 'values', null],
]
export const allocationShape: readonly Field[] = [
  [
    'Devices',
    'devices',
    {},
    [
      ['Results', 'results', null, result],
      ['Config', 'config', null, allocatedConfig],
    ],
  ],
  [
    'NodeSelector',
    'nodeSelector',
    null,
    [
      [
        'NodeSelectorTerms',
        'nodeSelectorTerms',
        null,
        [
          ['MatchExpressions', 'matchExpressions', null, requirement],
          ['MatchFields', 'matchFields', null, requirement],
        ],
      ],
    ],
  ],
  ['AllocationTimestamp', 'allocationTimestamp', null],
]

/** A decoded value as upstream's internal type prints it. */
export function internalShape(shape: readonly Field[], value: object): Record<string, unknown> {
  const source = value as Readonly<Record<string, unknown>>
  return Object.fromEntries(
    shape.map(([goName, jsonName, zero, inner]) => {
      const given = source[jsonName] ?? zero
      if (inner === undefined || given === null) return [goName, given]
      return [goName, Array.isArray(given) ? given.map((item) => internalShape(inner, item as object)) : internalShape(inner, given as object)]
    }),
  )
}
