/** Whether a file operation failed because there is no such file. */
export function isNotFoundError(error: unknown): boolean {
  return hasCode(error, 'ENOENT')
}

/** Whether an operation failed with this code of errno(3). */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
