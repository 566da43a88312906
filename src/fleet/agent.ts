/** agent(broker): waits for shares of loads, and sends them, one after the other. */
import { randomBytes } from 'node:crypto'
import { availableParallelism, hostname, totalmem } from 'node:os'
import { version } from '../vocabulary/machine.ts'
import { printable } from '../vocabulary/text.ts'
import { UserError, usageError } from '../vocabulary/errors.ts'
import { descriptorLimit } from '../engines/os/descriptors.ts'
import { parsePattern, type Allowed } from './allow.ts'
import { checkBrokerToken, parseBrokerUrl, shownBroker, usualBroker } from './broker-url.ts'
import { deferred } from './deferred.ts'
import { BrokerLink } from './broker-link.ts'
import { layout, topics } from './messages.ts'
import type { Presence, Assignment, ToAgent, ToCoordinator, Without } from './messages.ts'
import type { Opened } from './sealed.ts'
import { checkBrokerTls, type BrokerTls } from './secure.ts'
import { Work } from './work.ts'

export interface AgentOptions {
  /** Its name, for people; by default that of the machine, and the number of the process. */
  name?: string | undefined
  /** The secret that coordinator and agents share. */
  token?: string | undefined
  tls?: BrokerTls | undefined
  /** Patterns of the addresses to which it sends; none: the loopback. */
  allow?: readonly string[] | undefined
  /** The largest share that it takes: messages and short connections per second; connections. */
  maxRate?: number | undefined
  maxConnections?: number | undefined
  /** Leaves after one run. */
  once?: boolean | undefined
  /** Called with a line for what happens. */
  onEvent?: ((line: string) => void) | undefined
  /**
   * Called with a part that the coordinator did not take: writes it to a file, and returns where.
   * Without this function such a part is lost.
   */
  save?: ((name: string, text: string) => string) | undefined
}

export interface Agent {
  /** Its name. */
  readonly name: string
  /** Resolves when it is connected to the broker for the first time. */
  readonly ready: Promise<void>
  /** Rejects with a UserError if an option makes no sense, never because a broker is gone. */
  readonly finished: Promise<void>
  /** Ends its run with a drain, if it is at work, and leaves. */
  stop(): void
}

/** Starts an agent: it waits at a broker for shares of loads, and sends them. */
export function agent(broker: string = usualBroker, options: AgentOptions = {}): Agent {
  return new WaitingAgent(broker, options)
}

/** Runs that were seen are refused if they come again; the oldest are forgotten. */
const seenMax = 10_000
const nameMax = 64

class WaitingAgent implements Agent {
  readonly name: string
  readonly ready: Promise<void>
  readonly finished: Promise<void>
  readonly #options: AgentOptions
  readonly #id = randomBytes(8).toString('hex')
  readonly #startId = randomBytes(16).toString('hex')
  readonly #seen = new Set<string>()
  readonly #up = deferred<void>()
  readonly #over = deferred<void>()
  #link: BrokerLink | undefined
  #work: Work | undefined
  #leaving = false
  #told = ''

  constructor(broker: string, options: AgentOptions) {
    this.#options = options
    this.name = options.name ?? `${hostname()}-${process.pid}`
    this.ready = this.#up.promise
    // In a later turn, so that what is wrong with the options rejects too.
    this.finished = Promise.resolve().then(() => this.#live(broker))
    this.finished.catch((error: unknown) => this.#up.reject(error as Error))
  }

  stop(): void {
    if (this.#leaving) return
    this.#leaving = true
    this.#work?.leave()
    if (!this.#work) this.#over.resolve()
  }

  get #limits(): Allowed {
    const { allow = [], maxRate, maxConnections } = this.#options
    return { allow, maxRate, maxConnections }
  }

  async #live(broker: string): Promise<void> {
    const { token, tls = {} } = this.#options
    if (this.name === '' || this.name.length > nameMax || printable(this.name) !== this.name)
      throw usageError(`The name of an agent has 1 to ${nameMax} characters that can be shown.`)
    const url = parseBrokerUrl(broker)
    checkBrokerToken(url, token)
    checkBrokerTls(url, tls)
    for (const pattern of this.#limits.allow) parsePattern(pattern)
    if (token === undefined && this.#limits.allow.some(pattern => !isLoopback(pattern)))
      throw usageError(
        'Without a token an agent sends only to its own machine.',
        'Give one by --token-file or YODEL_FLEET_TOKEN, or leave --allow out.',
      )
    const presence = topics.hello(this.#id)
    const clientId = `yodel-agent-${this.#id}`
    this.#link = await BrokerLink.open(
      { url, token, tls, clientId, presence },
      {
        up: () => void this.#arrive().catch(error => this.#tell(String(error))),
        down: reason => {
          // An agent that leaves does not report that its broker goes away, too.
          if (this.#leaving) return
          this.#tell(`no broker at ${shownBroker(url)}${because(reason)}; it tries again`)
        },
        message: (_topic, opened) => this.#hear(opened),
      },
    )
    await this.#over.promise
    await this.#link.close(presence)
  }

  /** Reports the same reason only once, although it tries again and again. */
  #tell(line: string): void {
    if (line === this.#told) return
    this.#told = line
    this.#options.onEvent?.(line)
  }

  async #arrive(): Promise<void> {
    await this.#link!.subscribe(topics.toAgent(this.#id))
    await this.#sayHello()
    const { allow } = this.#limits
    const to = allow.length === 0 ? 'this machine only (--allow)' : allow.join(', ')
    this.#tell(`${this.name} waits at ${shownBroker(this.#link!.url)}; it sends to ${to}`)
    this.#up.resolve()
  }

  async #sayHello(): Promise<void> {
    const { allow, maxRate = null, maxConnections = null } = this.#limits
    const hello: Presence = {
      kind: 'presence',
      name: this.name,
      startId: this.#startId,
      version,
      layout,
      cores: availableParallelism(),
      memoryBytes: totalmem(),
      descriptors: descriptorLimit() ?? null,
      allow: [...allow],
      maxRate,
      maxConnections,
      run: this.#work?.run ?? null,
    }
    await this.#link!.say(topics.hello(this.#id), hello, { sure: true, retain: true })
  }

  #hear(opened: Opened<ToAgent> | undefined | null): void {
    if (opened === null) return
    if (!opened) return this.#tell('a message was not sealed with the token of this agent')
    const { words } = opened
    // The message is for an earlier start, or for another agent.
    if (words.startId !== this.#startId) return
    if (words.kind === 'assignment') this.#take(words)
    else if (words.run === this.#work?.run) this.#work.hear(words)
  }

  #take(assignment: Assignment): void {
    const link = this.#link!
    const answer = (words: Without<ToCoordinator, 'run'>) =>
      void link
        .say(
          topics.toCoordinator(assignment.coordinator, this.#id),
          { run: assignment.run, ...words },
          sure,
        )
        .catch(() => {})
    if (this.#seen.has(assignment.run)) {
      if (assignment.run === this.#work?.run) return
      const again = usageError('This run was seen before: a run is done once.')
      return answer({ kind: 'failed', error: again.toData() })
    }
    if (this.#work || this.#leaving) return answer({ kind: 'busy' })
    this.#seen.add(assignment.run)
    const [oldest] = this.#seen
    if (this.#seen.size > seenMax) this.#seen.delete(oldest!)
    const { onEvent = () => {}, save = lost } = this.#options
    const { number, of, run } = assignment
    onEvent(`run ${run}: it is agent ${number} of ${of}`)
    const work = new Work(assignment, {
      link,
      agent: this.#id,
      limits: this.#limits,
      tell: onEvent,
      save,
    })
    this.#work = work
    this.#sayHello().catch(() => {})
    void work.finished.catch((error: Error) => this.#over.reject(error)).then(() => this.#worked())
  }

  #worked(): void {
    this.#work = undefined
    if (this.#options.once) this.#leaving = true
    if (this.#leaving) this.#over.resolve()
    else this.#sayHello().catch(() => {})
  }
}

const sure = { sure: true }
const because = (reason: string) => (reason === '' ? '' : `: ${reason}`)

const lost = (): string => {
  throw new UserError('usage', 'nothing writes it to a file')
}

/** Whether a pattern names addresses of the loopback only. */
const isLoopback = (pattern: string): boolean =>
  /^[a-z0-9+*]+:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\]):/.test(pattern)
