/**
 * Server-sent events for all open pages. A page that does not read is disconnected; it reconnects.
 */
import type { ServerResponse } from 'node:http'
import type { Events } from './api.ts'
import { Refused } from './refused.ts'

const watchersMax = 200
/** How many bytes may wait for one page in this process. */
const pageUnsentMaxBytes = 256 * 1024

export class Watchers {
  readonly #responses = new Set<ServerResponse>()
  /** How many pages were dropped because they did not read. */
  dropped = 0

  get count(): number {
    return this.#responses.size
  }

  /** @throws Refused if there are too many */
  add(response: ServerResponse): void {
    if (this.#responses.size >= watchersMax)
      throw new Refused(503, `${watchersMax} pages watch already.`, 'Close a page.')
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    // A browser that was dropped connects again after this time.
    response.write('retry: 1000\n\n')
    this.#responses.add(response)
    response.on('close', () => this.#responses.delete(response))
  }

  /** Sends to one page that has just connected. */
  greet<Name extends keyof Events>(to: ServerResponse, name: Name, data: Events[Name]): void {
    to.write(format(name, data))
  }

  send<Name extends keyof Events>(name: Name, data: Events[Name]): void {
    if (this.#responses.size === 0) return
    const text = Buffer.from(format(name, data))
    for (const response of this.#responses) {
      if (response.writableLength + text.length <= pageUnsentMaxBytes) response.write(text)
      else this.#drop(response)
    }
  }

  /** Missed events are not sent later: the page loads the whole state again. */
  #drop(response: ServerResponse) {
    this.dropped++
    this.#responses.delete(response)
    response.destroy()
  }

  close(): void {
    for (const response of this.#responses) response.end()
  }
}

const format = (name: string, data: unknown): string =>
  `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
