import { fieldForbidden, fieldInternal, fieldInvalid } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { boolType, compile, formatType, mapType, objectType, opaqueType, stringType } from '@gantry/cel'
import type { Type } from '@gantry/cel'

// The limits of a device, which bound what an expression about one can cost.
const maxDomainLength = 63
const maxIdLength = 32
const maxDriverLength = 63
const maxEntries = 32
const maxValueLength = 64
/** What one evaluation may cost at most. */
const maxCost = 1_000_000

let variables: Readonly<Record<string, Type>> | undefined

/** Made when the first expression is compiled: most clusters have none. */
function deviceVariables(): Readonly<Record<string, Type>> {
  if (variables !== undefined) return variables
  const text = (maxElements: number): Type => ({ ...stringType, maxElements })
  const perDomain = (of: Type): Type => mapType(text(maxDomainLength), mapType(text(maxIdLength), of, { maxElements: maxEntries }), { maxElements: maxEntries })
  const device = objectType('kubernetes.DRADevice', {
    driver: text(maxDriverLength),
    allowMultipleAllocations: { ...boolType, maxElements: 1 },
    attributes: perDomain({ kind: 'dyn', maxElements: maxValueLength }),
    capacity: perDomain(opaqueType('kubernetes.Quantity')),
  })
  variables = { device }
  return variables
}

/** What is wrong with an expression that selects devices. Upstream: dynamic-resource-allocation cel/compile.go. */
export function deviceSelectorProblems(expression: string, path: string): FieldError[] {
  const { program, error, stage } = compile(expression, { variables: deviceVariables(), bindings: true })
  if (program === undefined)
    return [stage === 'compilation' ? fieldInvalid(path, expression, `compilation failed: ${error}`) : fieldInternal(path, `${stage} failed: ${error}`)]
  const { result } = program
  // Only an attribute has a size without a type.
  if (result.kind !== 'bool' && !(result.kind === 'dyn' && result.maxElements === maxValueLength)) {
    return [fieldInvalid(path, expression, `must evaluate to bool or the unknown type, not ${formatType(result)}`)]
  }
  return program.estimate().max > maxCost ? [fieldForbidden(path, 'too complex, exceeds cost limit')] : []
}
