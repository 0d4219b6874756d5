/** A figure or a reason that a reader of the run should see; no assertion hangs on it. */
export function note(text: string): void {
  process.stdout.write(`# ${text}\n`)
}
