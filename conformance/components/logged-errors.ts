/** `E1121 12:03:04.567890   12345 file.go:123] "what" err="why"`: the form of klog. */
const errorLine = /^[EF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ (\S+?):\d+\] (.*)$/

/**
 * Whether two writers meet, whether an event comes before the one that it caused has been seen, and whether somebody still writes while a namespace or the very object that is synced ends,
 * is chance: on every server these are tried again. Kubernetes answers 404, too, when somebody updates what has just gone; controllers tell of it in one of these forms.
 */
const chance = [
  /the object has been modified|Precondition failed|already exists|context canceled|is not as new as written version|because it is being terminated/,
  /sync \\"[^"]*\/([^"/]+)\\" failed with \S+ \\"\1\\" not found/,
  /err="\S+ \\"([^"\\]+)\\" not found" logger="UnhandledError" (?:queueKey|key)="[^"/]+\/\1"/,
  /"Error getting updated StatefulSet from lister"/,
]

/** What varies between two runs. The order matters. */
const varying: readonly (readonly [RegExp, string])[] = [
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID'],
  [/round-\d+/g, 'NAMESPACE'],
  [/127\.0\.0\.1:\d+/g, 'SERVER'],
  [/\b10\.\d+\.\d+\.\d+\b/g, 'ADDRESS'],
  [/-[0-9a-f]{8,10}\b/g, '-HASH'],
  [/-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, '-SUFFIX'],
  [/\d+/g, 'N'],
]

/** The errors in the log of one of Kubernetes' components, with what varies taken out, and how often each stands there. */
export function loggedErrors(log: string): Map<string, number> {
  const errors = new Map<string, number>()
  for (const line of log.split('\n')) {
    const [, file, rest = ''] = errorLine.exec(line) ?? []
    if (file === undefined || chance.some((pattern) => pattern.test(rest))) continue
    let error = `${file}: ${rest}`
    for (const [pattern, word] of varying) error = error.replaceAll(pattern, word)
    errors.set(error, (errors.get(error) ?? 0) + 1)
  }
  return errors
}
