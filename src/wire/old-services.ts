/**
 * What a server of RFC 864 sends to each client: lines of 72 characters, each beginning one
 * character later.
 */

const first = 0x20
const printables = 0x7f - first
const lineBytes = 72

/** The 95 different lines, each with CR LF; after them they repeat. */
export const characters = Buffer.concat(
  Array.from({ length: printables }, (_, line) =>
    Buffer.from([
      ...Array.from({ length: lineBytes }, (_, at) => first + ((line + at) % printables)),
      0x0d,
      0x0a,
    ]),
  ),
)
