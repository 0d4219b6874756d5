import { Connection } from './connection.ts'
import type { Endpoint } from './connection.ts'

const atOnce = 32

/** Of the object with this number, from 1 on. */
export function nameOf(number: number): string {
  return `object-${String(number).padStart(6, '0')}`
}

/** Creates `count` objects with names from 1 on. */
export async function fill(
  endpoint: Endpoint,
  options: { readonly collection: string; readonly count: number; readonly body: (name: string) => string },
): Promise<void> {
  const connection = new Connection(endpoint)
  try {
    const numbers = Array.from({ length: options.count }, (_, at) => at + 1).values()
    async function lane(): Promise<void> {
      for (const number of numbers) await connection.post(options.collection, options.body(nameOf(number)))
    }
    await Promise.all(Array.from({ length: atOnce }, lane))
  } finally {
    connection.close()
  }
}
