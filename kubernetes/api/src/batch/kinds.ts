import type { BuiltinKind } from '../kind.ts'
import { cronJob } from './cron-job.ts'
import { job } from './job.ts'

/** The kinds of `batch`. */
export const batchKinds: readonly BuiltinKind[] = [cronJob, job]
