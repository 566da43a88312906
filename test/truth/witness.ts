/**
 * The witness of what really went over the wire: tcpdump, where it is installed and may capture,
 * otherwise the server's own log. Neither knows the generator.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Framing } from './framings.ts'
import { readCapture } from './pcap.ts'
import { exchangesOf, type Exchange } from './wire.ts'

/** How often one looks whether the capture is complete: the kernel hands it on once a second. */
const lookMs = 100

export interface Capture {
  /** Ends it; all that was on the wire until now. Null if the system threw packets away. */
  finish(): Promise<Exchange[] | null>
  /** Processor time that it took, in milliseconds; known once it has finished. */
  pid: number
}

/** Why nothing can be captured here; false if it can. */
export const cannotCapture: string | false = (() => {
  const { error, status } = spawnSync('tcpdump', ['-i', 'lo', '-c', '1', '-d', 'port 9'])
  if (error) return 'tcpdump is not installed'
  return status !== 0 && 'tcpdump may not listen here'
})()

/** @param port of the server */
export async function capture(port: number, framing: Framing): Promise<Capture> {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
  const file = join(folder, 'wire.pcap')
  // The reader of the capture must know that it is complete: the last packet is its own.
  const mark = createSocket('udp4').bind(0, '127.0.0.1')
  await once(mark, 'listening')
  const { port: markPort } = mark.address()
  const user = process.getuid?.() === 0 ? ['-Z', 'root'] : []
  // The kernel notes the instants, so nothing needs to be read or written at once: a witness that
  // wakes for each packet would take the processor from those that it watches.
  const flags = ['-i', 'lo', '-n', '-s', '0', '-B', '32768', ...user]
  const precision = ['--time-stamp-precision=nano', '-w', file]
  const filter = `port ${port} or udp port ${markPort}`
  const program = spawn('tcpdump', [...flags, ...precision, filter], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  program.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = once(program, 'close')
  while (!said.includes('listening on')) {
    if (program.exitCode !== null) throw new Error(`tcpdump: ${said}`)
    await Promise.race([once(program.stderr, 'data'), ended])
  }
  return {
    pid: program.pid!,
    async finish() {
      const last = Buffer.from(`the last packet of port ${port}`)
      mark.send(last, markPort, '127.0.0.1')
      while (!readFileSync(file).includes(last)) {
        // It writes what it holds (tcpdump(8)).
        program.kill('SIGUSR2')
        await sleep(lookMs)
      }
      program.kill('SIGINT')
      await ended
      mark.close()
      const packets = readCapture(readFileSync(file))
      rmSync(folder, { recursive: true })
      const dropped = Number(/(\d+) packets? dropped by kernel/.exec(said)?.[1])
      return dropped === 0 ? exchangesOf(packets, port, framing) : null
    },
  }
}
