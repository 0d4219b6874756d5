// ECMA-48: what begins a string that goes to the terminal's program and not to its screen (title, clipboard, answers), and what ends it.
const escape = '\u001b'
const stringStarts = new Set(['P', 'X', ']', '^', '_'])
const c1StringStarts = new Set(['\u0090', '\u0098', '\u009d', '\u009e', '\u009f'])
const bell = '\u0007'
const c1End = '\u009c'
/** Requests that a terminal answers as if somebody had typed, and orders to its window. */
const answeredFinals = new Set(['c', 'n', 't', 'q', 'x'])

type State = 'text' | 'escape' | 'string' | 'stringEscape' | 'control'

/**
 * Lets through what draws: a recording shows what a session has printed, and somebody may have printed it for whoever watches the replay. Sequences that write to the clipboard, set titles
 * or make the terminal type are taken out, wherever pieces are cut.
 */
export class OutputFilter {
  #state: State = 'text'
  #held = ''

  pass(text: string): string {
    let shown = ''
    for (const character of text) shown += this.#next(character)
    return shown
  }

  #next(character: string): string {
    switch (this.#state) {
      case 'text':
        if (character === escape) return this.#enter('escape', character)
        if (c1StringStarts.has(character)) return this.#enter('string', '')
        if (character === '\u009b') return this.#enter('control', `${escape}[`)
        return character
      case 'escape':
        if (character === '[') return this.#enter('control', this.#held + character)
        if (stringStarts.has(character)) return this.#enter('string', '')
        // RIS and requests for an identity: no drawing.
        return character === 'Z' ? this.#enter('text', '') : this.#leave(character)
      case 'control':
        if (character === escape) return this.#enter('escape', character)
        if (character >= '@' && character <= '~')
          return answeredFinals.has(character) && !isDrawing(this.#held, character) ? this.#enter('text', '') : this.#leave(character)
        this.#held += character
        // No sequence is that long.
        return this.#held.length > 64 ? this.#enter('text', '') : ''
      case 'string':
        if (character === bell || character === c1End) return this.#enter('text', '')
        if (character === escape) return this.#enter('stringEscape', '')
        return ''
      case 'stringEscape':
        return character === '\\' ? this.#enter('text', '') : this.#enter('string', '')
    }
  }

  #enter(state: State, held: string): string {
    this.#state = state
    this.#held = held
    return ''
  }

  #leave(character: string): string {
    const sequence = this.#held + character
    this.#enter('text', '')
    return sequence
  }
}

/** `CSI Ps SP q` is the cursor's shape. */
function isDrawing(held: string, final: string): boolean {
  return final === 'q' && held.endsWith(' ')
}
