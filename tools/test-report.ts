/** What a test process is told to do, as its one argument in JSON. */
export interface WorkerTask {
  readonly files: readonly string[]
  readonly testTimeoutMs: number
  /** A process that is still alive this long after its last test has left something open. */
  readonly lingerMs: number
  /** Only tests whose name matches. */
  readonly name?: string | undefined
}

/** What a test process says to the one that started it. */
export type TestReport =
  | {
      readonly kind: 'ended'
      readonly name: string
      readonly file: string | undefined
      readonly line?: number | undefined
      readonly nesting: number
      readonly durationMs: number
      readonly outcome: 'passed' | 'skipped' | 'failed'
      /** The error of a failed test, the reason of a skipped one. */
      readonly why?: string | boolean | undefined
    }
  /** Something the runner itself complains about, such as an error thrown after its test had ended. */
  | { readonly kind: 'noticed'; readonly message: string; readonly file: string | undefined }
  /** What a test has measured or counted, for the reader of a run that tells each test. */
  | { readonly kind: 'diagnosed'; readonly message: string; readonly nesting: number }
  /** Everything has been run and nothing was left behind. */
  | { readonly kind: 'finished'; readonly success: boolean }
  /** The tests are over and something keeps the process alive. */
  | { readonly kind: 'lingered'; readonly resources: readonly string[] }
