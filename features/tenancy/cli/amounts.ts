import { UsageError } from '@gantry/cli-kit'

/** `cpu=4,memory=8Gi`; whether each is a quantity the hub says. */
export function amountsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(',').map((part) => {
      const equals = part.indexOf('=')
      if (equals < 1 || equals === part.length - 1) throw new UsageError(`"${part}" is no amount: write cpu=4,memory=8Gi`)
      return [part.slice(0, equals).trim(), part.slice(equals + 1).trim()]
    }),
  )
}

export function wholeOf(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new UsageError(`"${text}" is no number of namespaces`)
  return Number(text)
}

export const listText = (amounts: Readonly<Record<string, string | number>>): string =>
  Object.entries(amounts)
    .map(([resource, amount]) => `${resource}=${amount}`)
    .join(',') || 'none'
