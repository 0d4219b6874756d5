/** What differs from run to run and from cluster to cluster, and is no difference: each occurrence becomes a word. The order matters. */
const varying: readonly (readonly [RegExp, string])[] = [
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID'],
  [/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z/g, 'TIME'],
  [/\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d+ \+0000 UTC/g, 'TIME'],
  [/\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} [+-]\d{4}/g, 'TIME'],
  [/https:\/\/127\.0\.0\.1:\d+(\/clusters\/local)?/g, 'SERVER'],
  [/(resourceVersion"?: )"?\d+"?/g, '$1REVISION'],
  [/(Resource Version: +)\d+/g, '$1REVISION'],
  [/\b[0-9a-f]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, 'HASH-SUFFIX'],
  [/\b(?=[bcdfghjklmnpqrstvwxz2456789]*\d)[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, 'HASH-SUFFIX'],
  [/\b(?=[bcdfghjklmnpqrstvwxz2456789]*\d)[bcdfghjklmnpqrstvwxz2456789]{8,10}\b/g, 'HASH'],
  [/(kube-api-access-)[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, '$1SUFFIX'],
  [/\b10\.(96|43)\.\d+\.\d+\b/g, 'CLUSTERIP'],
  [/\b3[0-2]\d{3}\/TCP/g, 'NODEPORT/TCP'],
  [/(?<=\s)(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d+)?m?s)?(?<=\d[dhms])( ago)?(?=\s)/g, 'AGE'],
  [/\bv1\.36\.\d+[-+\w.]*/g, 'VERSION'],
]

/** The same event may be recorded once or more, by how often somebody tried. */
const event = /^  (Normal|Warning)  /

/** The output of a command with everything that may differ taken out, and the width of columns with it. */
export function normalOutput(output: string, names: Readonly<Record<string, string>>): string {
  let normal = output
  for (const [name, word] of Object.entries(names)) normal = normal.replaceAll(name, word)
  for (const [pattern, word] of varying) normal = normal.replaceAll(pattern, word)
  return normal
    .split('\n')
    .map((line) => line.trimEnd().replaceAll(/(?<=\S) {2,}/g, '  '))
    .filter((line, at, lines) => !(event.test(line) && line === lines[at - 1]))
    .join('\n')
}
