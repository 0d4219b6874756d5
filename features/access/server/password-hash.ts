import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { StatusError } from '@gantry/apimachinery'

// OWASP's parameters for argon2id: 19 MiB, two passes; 40 ms of a core.
const owaspCost = { memory: 19_456, passes: 2, parallelism: 1 } as const
const tagLength = 32
const saltLength = 16

// 40 ms and 19 MiB each: two at a time leave the machine usable, and twenty waiting ones are already an attack.
const atOnce = 2
const maxWaiting = 20

/** Of argon2id: memory in KiB, passes over it, lanes. */
export interface HashCost {
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
}

/** A password hash in PHC's text form: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. */
export class PasswordHasher {
  readonly #cost: HashCost
  #running = 0
  readonly #waiting: (() => void)[] = []
  #decoy: Promise<string> | undefined

  constructor(cost: HashCost = owaspCost) {
    this.#cost = cost
  }

  async hash(password: string): Promise<string> {
    const salt = randomBytes(saltLength)
    const tag = await this.#derive(password, salt, this.#cost)
    const { memory, passes, parallelism } = this.#cost
    return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(tag)}`
  }

  /** False for a wrong password; throws for a hash that is none. Without a hash (no such user) it takes as long as with one, and is false. */
  async verify(password: string, hash: string | undefined): Promise<boolean> {
    this.#decoy ??= this.hash(randomBytes(16).toString('hex'))
    const { salt, tag, parameters } = parse(hash ?? (await this.#decoy))
    const derived = await this.#derive(password, salt, parameters)
    return timingSafeEqual(derived, tag) && hash !== undefined
  }

  /** Whether a hash was made with what is asked for today; the password is hashed again otherwise, when it is known. */
  isCurrent(hash: string): boolean {
    const { memory, passes, parallelism } = parse(hash).parameters
    return memory === this.#cost.memory && passes === this.#cost.passes && parallelism === this.#cost.parallelism
  }

  async #derive(password: string, nonce: Buffer, parameters: HashCost): Promise<Buffer> {
    if (this.#running >= atOnce) {
      if (this.#waiting.length >= maxWaiting) {
        throw new StatusError('TooManyRequests', 'too many sign-ins at once, please try again', { details: { retryAfterSeconds: 2 } })
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#running++
    try {
      const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
      argon2('argon2id', { message: password.normalize('NFC'), nonce, tagLength, ...parameters }, (error, tag) => {
        if (error === null) resolve(tag)
        else reject(error)
      })
      return await promise
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}

const phc = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{43})$/

function parse(hash: string): { readonly salt: Buffer; readonly tag: Buffer; readonly parameters: HashCost } {
  const match = phc.exec(hash)
  if (match === null) throw new Error('a stored password hash is not in the argon2id text form')
  const [, memory, passes, parallelism, salt = '', tag = ''] = match
  return {
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
    parameters: { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) },
  }
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
