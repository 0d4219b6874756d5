import { StatusError } from '@gantry/apimachinery'
import type { ApplyReport } from './apply.ts'

const shownFailures = 20

/** One line on a dry run; throws when an object would be refused, or the target could not be asked about all of them. `target`: its context. */
export function dryRunOutcome(tried: ApplyReport, target: string): string {
  throwOnFailures(tried, { what: `the cluster of context "${target}" would refuse`, outcome: 'nothing was written' })
  if (tried.brokenOff !== undefined) throw new StatusError('ServiceUnavailable', `${brokenOffAt(tried.brokenOff, target)}; nothing was written`)
  return `dry run against ${target}: ${summaryOf(tried)}`
}

/** One line on what has arrived; throws with the same when not all of it has. */
export function applyOutcome(applied: ApplyReport, target: string): string {
  const { brokenOff } = applied
  if (brokenOff === undefined) {
    throwOnFailures(applied, {
      what: `the cluster of context "${target}" refused`,
      outcome: `of the rest: ${summaryOf(applied)}; mend that and export again, what has arrived stays as it is`,
    })
    return `applied to ${target}: ${summaryOf(applied)}`
  }
  const refused = applied.failures.length === 0 ? '' : `, ${applied.failures.length} refused`
  throw new StatusError(
    'ServiceUnavailable',
    `${brokenOffAt(brokenOff, target)}; before it: ${summaryOf(applied)}${refused}; not sent: ${brokenOff.left}; whether ${brokenOff.object} has arrived is not known; ` +
      'export again, what has arrived stays as it is',
  )
}

function brokenOffAt({ object, message }: NonNullable<ApplyReport['brokenOff']>, target: string): string {
  return `the connection to the cluster of context "${target}" failed at ${object} (${message})`
}

function throwOnFailures({ failures }: ApplyReport, { what, outcome }: { readonly what: string; readonly outcome: string }): void {
  if (failures.length === 0) return
  const shown = failures.slice(0, shownFailures).map(({ object, message }) => `${object} (${message})`)
  const more = failures.length > shownFailures ? `, and ${failures.length - shownFailures} more` : ''
  throw new StatusError('Conflict', `${what} ${failures.length} ${failures.length === 1 ? 'object' : 'objects'}: ${shown.join(', ')}${more}; ${outcome}`)
}

function summaryOf({ created, changed, unchanged, unchecked }: ApplyReport): string {
  return `${created} created, ${changed} changed, ${unchanged} unchanged${unchecked === 0 ? '' : `, ${unchecked} not tried because what they need is not there yet`}`
}
