import { nodes } from './ast.ts'
import type { Expr } from './ast.ts'
import { check, qualifiedName } from './checker.ts'
import type { Checked, CheckEnvironment } from './checker.ts'
import { estimateCost } from './cost-estimate.ts'
import type { CostRange } from './cost-estimate.ts'
import { kubernetesLibrary } from './library/index.ts'
import { constantError, literalIssues } from './literals.ts'
import { parse } from './parser.ts'
import { BudgetExceeded } from './budget.ts'
import { patchStructNamed } from './patch-structs.ts'
import { inputValue, plan } from './plan.ts'
import { formatIssues } from './source.ts'
import { dynType } from './types.ts'
import type { Type } from './types.ts'
import { CelError } from './values.ts'
import type { Value } from './values.ts'

export interface CompileOptions {
  /** The variables that the expression may use, and their types. */
  readonly variables: Readonly<Record<string, Type>>
  /** Adds what expressions that change objects have beyond others: `Object{…}`, `JSONPatch{…}` and `jsonpatch.escapeKey`. */
  readonly patches?: boolean
  /** Adds `cel.bind`, which gives a value a name. */
  readonly bindings?: boolean
}

export interface EvaluateOptions {
  /** The cost at which the evaluation stops; upstream's limit for one call is `perCallLimit`. About 20 million fit into a second. */
  readonly budget?: number
}

/** What came of an evaluation: a value or an error. `exceeded`: it had used up its budget. */
export type Evaluation =
  | { readonly value: Value; readonly error?: undefined; readonly cost: number; readonly exceeded: false }
  | { readonly value?: undefined; readonly error: string; readonly cost: number; readonly exceeded: boolean }

export interface Program {
  /** The type of what the expression gives. */
  readonly result: Type
  /** Names of the variables that it uses. */
  readonly uses: ReadonlySet<string>
  /** Whether it reads this field of this variable by name: `claims.email`, `claims.?email`, `has(claims.email)`. */
  selects(variable: string, field: string): boolean
  /** What an evaluation may cost at least and at most, as far as the sizes in the types tell. */
  estimate(): CostRange
  /** Never throws for what an expression does. Values are JSON under the variables' types, or values of this package. Absent variables are errors when they are read. */
  evaluate(variables: Readonly<Record<string, unknown>>, options?: EvaluateOptions): Evaluation
}

/**
 * `stage` tells how upstream introduces the error: `compilation failed: ` for what is wrong with the text, `program instantiation failed: ` for a constant that no evaluation
 * could get past.
 */
export type Compiled =
  | { readonly program: Program; readonly error?: undefined; readonly stage?: undefined }
  | { readonly program?: undefined; readonly error: string; readonly stage: 'compilation' | 'program instantiation' }

/** Upstream's limit for the evaluation of one expression. */
export const perCallLimit = 1_000_000

/** Reads and checks an expression. The error is what upstream writes: `ERROR: <input>:1:5: undeclared reference …`, one for each problem. */
export function compile(expression: string, options: CompileOptions): Compiled {
  const source = Array.from(expression)
  const parsed = parse(source, options)
  if (parsed.expr === undefined) return { error: formatIssues(source, parsed.issues), stage: 'compilation' }
  const environment: CheckEnvironment = {
    variables: new Map(Object.entries(options.variables)),
    library: kubernetesLibrary({ jsonPatch: options.patches === true }),
    structNamed: options.patches === true ? patchStructNamed : noStructs,
  }
  const checked = check(parsed.expr, environment)
  const issues = checked.issues.length > 0 ? checked.issues : literalIssues(checked)
  if (issues.length > 0) return { error: formatIssues(source, issues), stage: 'compilation' }
  const constant = constantError(checked)
  if (constant !== undefined) return { error: constant, stage: 'program instantiation' }
  return { program: programOf(checked, environment) }
}

function noStructs(): undefined {
  return undefined
}

function programOf(checked: Checked, environment: CheckEnvironment): Program {
  const { step, slots, inputs } = plan(checked, environment)
  const uses = usedVariables(checked, environment)
  const types = inputs.map((name) => environment.variables.get(name) ?? dynType)
  return {
    result: checked.result,
    uses,
    selects: (variable, field) => anySelects(checked, { variable, field }),
    estimate: () => estimateCost(checked, environment),
    evaluate(variables, { budget = perCallLimit } = {}) {
      const frame = { slots: Array.from<Value>({ length: slots }), cost: 0, limit: budget }
      for (const [i, name] of inputs.entries()) {
        if (!uses.has(name)) continue
        frame.slots[i] = Object.hasOwn(variables, name) ? inputValue(variables[name], types[i] ?? dynType) : new CelError(`no such attribute(s): ${name}`)
      }
      try {
        const value = step(frame)
        if (value instanceof CelError) return { error: value.message, cost: frame.cost, exceeded: false }
        return { value, cost: frame.cost, exceeded: false }
      } catch (error) {
        if (error instanceof BudgetExceeded) return { error: error.message, cost: frame.cost, exceeded: true }
        throw error
      }
    },
  }
}

function anySelects({ expr }: Checked, { variable, field }: { readonly variable: string; readonly field: string }): boolean {
  const isIt = (operand: Expr | undefined): boolean => operand?.kind === 'ident' && operand.name === variable
  for (const node of nodes(expr)) {
    if (node.kind === 'select' && node.field === field && isIt(node.operand)) return true
    if (node.kind !== 'call' || node.name !== '_?._' || !isIt(node.args[0])) continue
    const [, name] = node.args
    if (name?.kind === 'const' && name.value === field) return true
  }
  return false
}

function usedVariables(checked: Checked, environment: CheckEnvironment): ReadonlySet<string> {
  const used = new Set<string>()
  for (const node of nodes(checked.expr)) {
    const name = node.kind === 'ident' ? node.name : node.kind === 'select' ? qualifiedName(node) : undefined
    const plain = name?.replace(/^\./, '')
    if (plain !== undefined && environment.variables.has(plain)) used.add(plain)
  }
  return used
}
