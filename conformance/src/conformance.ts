import { after, before, describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { differences } from '../differences.ts'
import type { TargetName } from '../differences.ts'
import { rowsOf } from '../rows.ts'
import { Api } from './target.ts'
import type { Target } from './target.ts'

/** Declares one claim about the API; the name ends with the rows of the specification it comes from, which `rows.ts` knows. */
export type Claim = (name: string, body: (t: TestContext) => Promise<void>) => void

/** One area of behaviour: a body that is run against every target. */
export interface Conformance {
  readonly area: string
  readonly declare: (suite: { readonly api: Api; readonly claim: Claim }) => void
}

export function conformance(area: string, declare: Conformance['declare']): Conformance {
  return { area, declare }
}

/** Runs the bodies against one target, which is started once before the first and disposed after the last. */
export function runConformance(name: TargetName, start: () => Promise<Target & AsyncDisposable>, bodies: readonly Conformance[]): void {
  describe(`conformance of ${name}`, () => {
    let target: (Target & AsyncDisposable) | undefined
    before(async () => {
      target = await start()
    })
    after(() => target?.[Symbol.asyncDispose]())
    const api = new Api(() => {
      if (target === undefined) throw new Error(`${name} has not started`)
      return target
    })
    const known = new Map(differences.filter((difference) => difference.target === name).map((difference) => [difference.claim, difference.because]))
    for (const { area, declare } of bodies) {
      describe(area, () => {
        declare({
          api,
          claim: (claim, body) => {
            rowsOf(claim)
            const because = known.get(claim)
            known.delete(claim)
            test(claim, because === undefined ? body : (t) => expectDifference(t, because, body))
          },
        })
      })
    }
    test('names no difference for a claim that does not exist', () => {
      if (known.size > 0) throw new Error(`differences.ts lists unknown claims: ${[...known.keys()].join('; ')}`)
    })
  })
}

/** A claim that is known not to hold has to fail, so that the list of differences never outlives them. */
async function expectDifference(t: TestContext, because: string, body: (t: TestContext) => Promise<void>): Promise<void> {
  try {
    await body(t)
  } catch {
    t.skip(`differs: ${because}`)
    return
  }
  throw new Error(`this claim holds now: remove it from conformance/differences.ts (it said: ${because})`)
}
