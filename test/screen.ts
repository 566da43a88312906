/** A terminal, as far as the live view needs one: what it shows after some text. */

// oxlint-disable-next-line no-control-regex
const pieces = /\u001b\[\??(\d*)([A-Za-z])|[^]/gu

/** Like most terminals, it breaks lines that are too long anew when its width changes. */
export class Screen {
  columns: number
  /** As they were written, not as they are broken; scrolling forgets nothing. */
  readonly #lines: string[] = ['']
  #row = 0
  #column = 0

  constructor(columns: number) {
    this.columns = columns
  }

  get text(): string {
    return this.#lines.map(line => line.trimEnd()).join('\n')
  }

  write(text: string): void {
    for (const [piece, digits, command] of text.matchAll(pieces)) {
      if (command !== undefined) this.#obey(command, digits ?? '')
      else if (piece === '\r') this.#column -= this.#column % this.columns
      else if (piece === '\n') this.#down()
      else this.#put(piece)
    }
  }

  #down() {
    this.#column %= this.columns
    this.#row++
    if (this.#row === this.#lines.length) this.#lines.push('')
  }

  #put(character: string) {
    const line = this.#lines[this.#row]!.padEnd(this.#column)
    const rest = line.slice(this.#column + character.length)
    this.#lines[this.#row] = line.slice(0, this.#column) + character + rest
    this.#column += character.length
  }

  #up(rows: number) {
    let missing = rows - Math.floor(this.#column / this.columns)
    while (missing > 0 && this.#row > 0) {
      this.#row--
      missing -= Math.max(1, Math.ceil(this.#lines[this.#row]!.length / this.columns))
    }
    // In the middle of a broken line, if the program has miscounted.
    this.#column = Math.max(0, -missing) * this.columns
  }

  #obey(command: string, digits: string) {
    const kept = this.#lines[this.#row]!.slice(0, this.#column)
    if (command === 'A') this.#up(Number(digits || 1))
    else if (command === 'K') this.#lines[this.#row] = kept
    else if (command === 'J') this.#lines.splice(this.#row, Infinity, kept)
    // Colours are not looked at.
    else if (command !== 'm') throw new Error(`the screen does not know CSI ${digits}${command}`)
  }
}
