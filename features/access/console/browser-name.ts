const browsers = ['Edg', 'OPR', 'Firefox', 'Chrome', 'Safari'] as const
const names: Readonly<Record<(typeof browsers)[number], string>> = { Edg: 'Edge', OPR: 'Opera', Firefox: 'Firefox', Chrome: 'Chrome', Safari: 'Safari' }
const systems: readonly (readonly [RegExp, string])[] = [
  [/Android/, 'Android'],
  [/iPhone|iPad/, 'iOS'],
  [/Windows/, 'Windows'],
  [/Mac OS X/, 'macOS'],
  [/Linux|X11/, 'Linux'],
]

/** What people call a browser, by what it calls itself: "Firefox 140, Linux". What is no browser is shown as it is; undefined when nothing is known. */
export function browserName(userAgent: string | undefined): string | undefined {
  if (userAgent === undefined) return undefined
  // Everybody claims to be those further back in the list.
  for (const name of browsers) {
    const version = new RegExp(`\\b(?:Headless)?${name}/(\\d+)`).exec(userAgent)?.[1]
    if (version === undefined) continue
    const system = systems.find(([pattern]) => pattern.test(userAgent))?.[1]
    return `${names[name]} ${version}${system === undefined ? '' : `, ${system}`}`
  }
  return userAgent
}
