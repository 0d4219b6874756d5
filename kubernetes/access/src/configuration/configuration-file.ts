import type { Clock, Logger } from '@gantry/runtime'

/** A file that may change while we run. */
export interface FileSource {
  /** For messages. */
  readonly path: string
  /** What it held when we started. */
  readonly content: string
  readonly read: () => Promise<string>
}

const lookEveryMs = 1_000

/** Reads a configuration file again and again, and tells of each change once; one that cannot be used is logged, and counts as seen. */
export class ConfigurationFile {
  readonly #deps: { readonly clock: Clock; readonly log: Logger }
  readonly #source: FileSource
  #seen: string
  #changed: (content: string) => void | Promise<void> = () => {}
  #cancel = (): void => {}
  #looking: Promise<void> = Promise.resolve()
  #isStopped = false
  #isUnreadable = false

  constructor(deps: { readonly clock: Clock; readonly log: Logger }, source: FileSource) {
    this.#deps = deps
    this.#source = source
    this.#seen = source.content
  }

  /** What `parse` makes of the content of the start; its Error gets the file's name. */
  parsed<T>(parse: (content: string) => T): T {
    try {
      return parse(this.#source.content)
    } catch (error) {
      throw new Error(`${this.#source.path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }

  /** One listener: what it throws is logged. */
  onChange(changed: (content: string) => void | Promise<void>): void {
    this.#changed = changed
  }

  follow(): void {
    if (this.#isStopped) return
    this.#cancel = this.#deps.clock.schedule(() => {
      this.#looking = this.#look().finally(() => this.follow())
    }, lookEveryMs)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#cancel()
    await this.#looking
  }

  async #look(): Promise<void> {
    const { log } = this.#deps
    const { path } = this.#source
    let content: string
    try {
      content = await this.#source.read()
      this.#isUnreadable = false
    } catch (error) {
      // A file that is being replaced is away for a moment: told once.
      if (!this.#isUnreadable) log.error('a configuration file cannot be read; what it last held stays in force', { path, error })
      this.#isUnreadable = true
      return
    }
    if (content === this.#seen || this.#isStopped) return
    this.#seen = content
    try {
      await this.#changed(content)
      log.info('a configuration file has been read again', { path })
    } catch (error) {
      if (!this.#isStopped) log.error('the new version of a configuration file cannot be used; the last good one stays in force', { path, error })
    }
  }
}
