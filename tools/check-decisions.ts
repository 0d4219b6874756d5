import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Holds a folder of decision pages to their form: `NNNN-some-words.md`, numbered from 0001 without a gap, beginning with `# NNNN Title`. Returns one finding a line. */
export function checkDecisions(folder: string): string[] {
  const names = readdirSync(folder).sort()
  if (names.length === 0) return [`${folder} holds no decision: the check is looking in the wrong place`]
  const findings: string[] = []
  for (const [at, name] of names.entries()) {
    const expected = String(at + 1).padStart(4, '0')
    const number = /^(\d{4})-[a-z0-9]+(?:-[a-z0-9]+)*\.md$/.exec(name)?.[1]
    if (number === undefined) {
      findings.push(`${name}: a decision is named NNNN-in-lower-case.md`)
      continue
    }
    if (number !== expected) findings.push(`${name}: the number ${expected} is next; each number is given once and none is left out`)
    const [title = ''] = readFileSync(join(folder, name), 'utf8').split('\n', 1)
    if (!title.startsWith(`# ${number} `)) findings.push(`${name}: the first line has to be "# ${number} Title" and is "${title}"`)
  }
  return findings
}

if (import.meta.main) {
  const findings = checkDecisions(join(import.meta.dirname, '..', 'docs', 'decisions'))
  if (findings.length > 0) {
    process.stdout.write(`${findings.map((finding) => `docs/decisions/${finding}`).join('\n')}\n`)
    process.exitCode = 1
  }
}
