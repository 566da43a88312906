/** How long a campaign lasts, as its flags say. */

/**
 * In milliseconds. What is no length of time ends the program with a line and exit code 2: a
 * campaign that ends at once would find everything sound.
 */
export function campaignMs({ minutes, seconds }: { minutes: string; seconds?: string }): number {
  const [flag, text, unitMs] =
    seconds === undefined
      ? (['--minutes', minutes, 60e3] as const)
      : (['--seconds', seconds, 1e3] as const)
  const ms = Number(text) * unitMs
  if (!(ms > 0)) {
    console.error(`${flag} ${text}: it takes a number above 0, for example ${flag} 3.`)
    process.exit(2)
  }
  return ms
}
