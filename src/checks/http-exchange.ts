/** Sends requests of HTTP/1.1 exactly as they are given, and notes when the answers come. */
import type { HostAddress } from '../vocabulary/address.ts'
import { printable } from '../vocabulary/text.ts'
import { formatSize } from '../vocabulary/units.ts'
import { AnswerParser, type AnswerHead } from '../wire/http/answer-parser.ts'
import type { Header } from '../wire/http/headers.ts'
import { streamFor, usualHeaders } from './below.ts'
import type { Found } from './found.ts'
import type { ProbeConnection } from './probe.ts'
import type { Scene } from './scene.ts'

export interface HttpAnswer {
  head: AnswerHead | undefined
  body: Buffer
  /** What came behind a body in chunks. */
  trailers: [name: string, value: string][]
  isWhole: boolean
  /** When the first byte of the body came; undefined if none did. */
  bodyMs: number | undefined
  /** Why it could not be read. */
  error: string | undefined
}

/** A connection on which answers are read one after the other. */
export class HttpLine {
  readonly probe: ProbeConnection
  /** Host, and the headers that the user adds. */
  readonly #usual: readonly Header[]
  #answer: HttpAnswer = none()
  readonly #parser: AnswerParser

  constructor(probe: ProbeConnection, scene: Pick<Scene, 'address' | 'calling'>) {
    this.probe = probe
    this.#usual = usualHeaders(scene)
    const parser = (this.#parser = new AnswerParser({
      onHead: head => void (this.#answer.head = head),
      onBody: piece => {
        this.#answer.bodyMs ??= performance.now()
        this.#answer.body = Buffer.concat([this.#answer.body, piece])
      },
      onTrailer: header => void this.#answer.trailers.push(header),
      onEnd: () => void (this.#answer.isWhole = true),
    }))
    probe.sink = chunk => {
      if (this.#answer.error !== undefined) return
      try {
        parser.feed(chunk)
      } catch (error) {
        this.#answer.error = (error as Error).message
      }
    }
  }

  /** The head of a request; `lines` are its headers, except Host and the headers of the user. */
  head(method: string, resource: string, lines: readonly string[]): Buffer {
    const usual = this.#usual.map(([name, value]) => `${name}: ${value}`)
    const all = [`${method} ${resource} HTTP/1.1`, ...usual, ...lines, '', '']
    return Buffer.from(all.join('\r\n'), 'latin1')
  }

  /** Names of the headers that each request has. */
  get usual(): string[] {
    return this.#usual.map(([name]) => name)
  }

  /** Begins the next answer. */
  next(): HttpAnswer {
    this.#answer = none()
    return this.#answer
  }

  /** Waits for the answer, or for the part of it that is wanted. */
  async until(isDone: (answer: HttpAnswer) => boolean, silenceMs: number): Promise<HttpAnswer> {
    const answer = this.#answer
    await this.probe.until(() => answer.error !== undefined || isDone(answer), silenceMs)
    // An answer without a length is whole when the connection ends.
    if (this.probe.ending === 'FIN' && answer.head && !answer.isWhole) this.#parser.close()
    return answer
  }

  async exchange(request: readonly Buffer[], silenceMs: number): Promise<HttpAnswer> {
    const answer = this.next()
    for (const part of request) if ((await this.probe.push(part, silenceMs)) !== 'done') break
    await this.until(({ isWhole }) => isWhole, silenceMs)
    return answer
  }
}

const none = (): HttpAnswer => ({
  head: undefined,
  body: Buffer.alloc(0),
  trailers: [],
  isWhole: false,
  bodyMs: undefined,
  error: undefined,
})

/** A fresh connection for HTTP/1.1, with TLS where the address has it. */
export async function openLine(scene: Scene): Promise<HttpLine> {
  const { address, calling } = streamFor('http/1.1', scene)
  return new HttpLine(await scene.open(address, calling), scene)
}

/** The path of the URL. */
export const resource = (scene: Scene): string => (scene.address as HostAddress).resource ?? '/'

/** A request whose body has a Content-Length. */
export function post(
  scene: Scene,
  line: HttpLine,
  body: Buffer,
  more: readonly string[] = [],
): Promise<HttpAnswer> {
  const lines = [
    'Content-Type: application/octet-stream',
    `Content-Length: ${body.length}`,
    ...more,
  ]
  return line.exchange([line.head('POST', resource(scene), lines), body], scene.silenceMs)
}

/** Whether the status of the answer means success. */
export const isOk = ({ head }: HttpAnswer) =>
  head !== undefined && head.status >= 200 && head.status < 300

/** An answer that brings the body back, and then does not end; undefined if it does end. */
export function unended(
  answer: HttpAnswer,
  body: Buffer,
  evidence: readonly string[],
): Found<'endless'> | undefined {
  if (!isOk(answer) || answer.isWhole || !answer.body.equals(body)) return undefined
  const said = `a body of ${formatSize(body.length)} came back whole, but the answer never ended`
  return { name: 'endless', said, evidence }
}

/** A body in chunks of that size (RFC 9112 section 7.1), and its trailer. */
export function chunked(body: Buffer, size: number, trailer: readonly string[] = []): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < body.length; at += size) parts.push(chunk(body.subarray(at, at + size)))
  const end = ['0', ...trailer, '', ''].join('\r\n')
  return Buffer.concat([...parts, Buffer.from(end, 'latin1')])
}

export const chunk = (data: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')])

/** `status 413 Payload Too Large`, or what came in its place. */
export function httpAnswerText({ head, error, body, isWhole }: HttpAnswer): string {
  if (error !== undefined) return `an answer that is not HTTP (${printable(error)})`
  if (!head) return 'no answer'
  const status = printable(`status ${head.status} ${head.reason}`.trimEnd())
  return `${status} with ${formatSize(body.length)}${isWhole ? '' : ', not whole'}`
}
