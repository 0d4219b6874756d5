/** What `npm test` (the suite `fast`) and `npm run test:<suite>` run. */
export interface Suite {
  /** Which files belong to it, by the end of their name. */
  readonly suffix: string
  /** Processes side by side: two where tests are bound by the processor, one where they start servers of their own or measure time. */
  readonly workers: number
  /** A single test that takes longer has failed. */
  readonly testTimeoutMs: number
  /** Prints every test as it ends instead of failures alone. */
  readonly tellEach: boolean
}

export const suites = {
  fast: { suffix: '.test.ts', workers: 2, testTimeoutMs: 20_000, tellEach: false },
  kubernetes: { suffix: '.kubernetes.ts', workers: 1, testTimeoutMs: 120_000, tellEach: true },
  durability: { suffix: '.durability.ts', workers: 1, testTimeoutMs: 600_000, tellEach: true },
  node: { suffix: '.node.ts', workers: 1, testTimeoutMs: 180_000, tellEach: true },
  attacks: { suffix: '.attack.ts', workers: 1, testTimeoutMs: 120_000, tellEach: true },
  e2e: { suffix: '.e2e.ts', workers: 1, testTimeoutMs: 180_000, tellEach: true },
} as const satisfies Readonly<Record<string, Suite>>

export type SuiteName = keyof typeof suites

export function isSuiteName(name: string): name is SuiteName {
  return Object.hasOwn(suites, name)
}
