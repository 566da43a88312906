/**
 * What clients do in a soak of a transport with a protocol: those whose messages must come back,
 * and those of misuse.ts.
 */
import { randomBytes } from 'node:crypto'
import type { NetConnectOpts } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Address, type ConnectOptions } from 'yodel'
import { misuseNames, misuses, transports, type MisuseName, type Parting } from './misuse.ts'
import type { Dice } from './soak-behaviours.ts'
import type { Play } from './soak-epochs.ts'

/** So long a misuse may take: it may wait until its handshake is given up. */
const patienceMs = 30_000
const partings: readonly Parting[] = ['closes', 'resets', 'stays']

interface Spoken {
  transport: Address['transport']
  /** The only version of HTTP that is spoken; undefined: whatever both sides agree on. */
  version?: 'HTTP/1.1' | 'HTTP/2'
}

export const misusePlay =
  (spoken: Spoken): Play =>
  async (where, dice, violations) => {
    if (dice.chance(0.4))
      return { verified: await exchange(spoken, where, dice, violations), misused: 0 }
    await misuse(spoken, where, dice, violations)
    return { verified: 0, misused: 1 }
  }

/** Some messages on a connection; how many came back as they were. */
async function exchange(
  spoken: Spoken,
  where: NetConnectOpts,
  dice: Dice,
  violations: string[],
): Promise<number> {
  const { port } = where as { port: number }
  let count = 0
  try {
    const url = `${spoken.transport}://127.0.0.1:${port}`
    const connection = await connect(url, optionsFor(spoken, dice))
    for (let left = dice.size(20); left > 0; left--, count++) {
      const sent = randomBytes(dice.size(100_000))
      const { reply } = await connection.echo(sent)
      if (!sent.equals(reply)) violations.push(`${sent.length} bytes came back as others`)
    }
    await connection.close()
  } catch (error) {
    violations.push(`a client in good order: ${(error as Error).message}`)
  }
  return count
}

/** Without TLS nobody agrees on HTTP/2: both sides know of it. */
function optionsFor({ transport, version }: Spoken, dice: Dice): ConnectOptions {
  const { secure, protocol } = transports[transport]
  const isHttp2 = version === 'HTTP/2' || (version === undefined && dice.chance(0.5))
  const alpn = protocol === 'http' && isHttp2 ? { alpn: ['h2'] } : {}
  if (secure) return { calling: { tls: { insecure: true, ...alpn } } }
  return isHttp2 && protocol === 'http' ? { calling: { tls: alpn } } : {}
}

async function misuse(
  { transport, version }: Spoken,
  where: NetConnectOpts,
  dice: Dice,
  violations: string[],
): Promise<void> {
  const all = misuses[transport]
  const rows = version === undefined ? Object.values(all) : [all[version]!]
  const row = rows[dice.below(rows.length)]!
  const name: MisuseName = misuseNames[dice.below(misuseNames.length)]!
  const what = row[name]
  if (typeof what === 'string') return
  const over = what(where, partings[dice.below(partings.length)]!).then(() => true)
  const endMs = performance.now() + patienceMs
  // What another check finds ends it, too.
  while (violations.length === 0 && !(await Promise.race([over, sleep(100, false)])))
    if (performance.now() > endMs) violations.push(`'${name}' had no answer`)
}
