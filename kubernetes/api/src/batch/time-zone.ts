/** What is wrong with a time zone's name; undefined when it is one of the IANA database. Upstream: pkg/apis/batch/validation validateTimeZone. */
export function timeZoneProblems(zone: string): string[] {
  if (zone === '') return ['timeZone must be nil or non-empty string']
  const isOdd = (part: string): boolean => part === '.' || part === '..' || part.startsWith('-') || !/^[A-Za-z._0-9+-]{1,14}$/.test(part)
  if (zone.split('/').some(isOdd)) return [`unknown time zone ${zone}`]
  if (zone.toLowerCase() === 'local') return zone === 'Local' ? [explicit] : [explicit, `unknown time zone ${zone}`]
  const problem = locationProblem(zone)
  return problem === undefined ? [] : [problem]
}

/** The one zone of the IANA database that Intl does not know. */
const notInIntl = 'Factory'
const explicit = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'

/** Go's time.LoadLocation: names are those of files, so case matters. */
export function locationProblem(zone: string): string | undefined {
  if (zone === '' || zone === 'UTC' || zone === 'Local' || zone === notInIntl) return undefined
  try {
    const { timeZone } = new Intl.DateTimeFormat('en-US', { timeZone: zone }).resolvedOptions()
    // Intl takes any case and turns some names into others; a name that differs from what it was turned into only by case is none.
    if (timeZone === zone || timeZone.toLowerCase() !== zone.toLowerCase()) return /^[+-]\d/.test(zone) ? `unknown time zone ${zone}` : undefined
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  return `unknown time zone ${zone}`
}
