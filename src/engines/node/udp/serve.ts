/** Answers datagrams: each with itself, to where it came from, unless the guard says no. */
import type { RemoteInfo, Socket } from 'node:dgram'
import { formatAddress, type HostAddress } from '../../../vocabulary/address.ts'
import { peerText } from '../../../vocabulary/text.ts'
import type { FaultSpec } from '../../../faults/index.ts'
import { counter, type Meter } from '../../../metrics/meter.ts'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import type { ServeTask } from '../../../task.ts'
import { threadAccounts, type MarksSeen } from '../../accounts.ts'
import type { OpenTask } from '../../engine.ts'
import { explain } from '../../failures.ts'
import type { DatagramSessions, SessionOutlet } from '../direction/datagram-serve.ts'
import { descriptorOf } from '../../os/datagram-descriptor.ts'
import { broadcastAddresses, isUnspecified, keepOutGroups } from '../../os/group-filter.ts'
import { unreadOf } from '../../os/unread.ts'
import type { FaultyPeers, Endpoint } from './faulty-peers.ts'
import { Guard } from '../../../wire/udp/guard.ts'
import { adoptSocket, bindSocket, keepFreed, resolved } from './socket.ts'
import { nextStep, quietMs } from '../../leave.ts'
import { answerMarked } from './mark-socket.ts'

/** How many datagrams may wait in this process for the system to take them. */
const unsentMax = 1_024
/** How often the system is asked how many datagrams it has dropped. */
const askMs = 1_000

/** @throws UserError if it cannot listen at the address */
export async function openDatagramServe(task: ServeTask, meter: Meter): Promise<OpenTask> {
  keepFreed()
  const { sharePort, inheritedFd: fd } = task
  const wanted = task.address as HostAddress
  try {
    const own = fd === undefined
    const socket = own ? await bindSocket(await resolved(wanted), sharePort) : await adoptSocket(fd)
    const { address: host, port } = socket.address()
    const address: HostAddress = { transport: 'udp', host: own ? wanted.host : host, port }
    const server = new DatagramServer(task, meter, socket, address)
    if (task.faults) {
      const { FaultyPeers } = await import('./faulty-peers.ts')
      server.misbehave(new FaultyPeers(task, meter, server.send))
    }
    if (task.directions) {
      const { DatagramSessions } = await import('../direction/datagram-serve.ts')
      const { maxRatePerSecond, sessionRates } = task
      server.serveSessions(
        (outlet, counters) =>
          new DatagramSessions(outlet, { counters, maxRatePerSecond, sessionRates }),
      )
    }
    return server
  } catch (error) {
    throw explain('listen on', wanted, error)
  }
}

class DatagramServer implements OpenTask {
  readonly address: HostAddress
  readonly #task: ServeTask
  readonly #socket: Socket
  readonly #counters: Float64Array
  readonly #guard: Guard
  readonly #accounts: ReturnType<typeof threadAccounts> | undefined
  readonly #url: string
  #faulty: FaultyPeers | undefined
  #sessions: DatagramSessions | undefined
  /**
   * Whether faults are in force. Then everything is echoed and no session begins, so that faults
   * act on all datagrams.
   */
  #harmed: boolean
  /** How many datagrams came, answered or not. */
  #heard = 0
  #draining = false
  /** For each client whose marks are read: the function that ends this. */
  readonly #marking = new Map<string, () => void>()
  #left = false
  readonly #unreadBefore: number
  readonly #asking = setInterval(() => this.#askUnread(), askMs)
  #looking: NodeJS.Timeout | undefined
  #deadline: NodeJS.Timeout | undefined
  #finish!: () => void
  readonly #finished = new Promise<void>(resolve => (this.#finish = resolve))

  constructor(task: ServeTask, { counters }: Meter, socket: Socket, address: HostAddress) {
    this.address = address
    this.#task = task
    this.#accounts = task.ledger && threadAccounts()
    this.#url = formatAddress(address)
    this.#accounts?.urls.push(this.#url)
    this.#harmed = (task.faults ?? []).length > 0
    this.#socket = socket
    this.#counters = counters
    const broadcasts = broadcastAddresses()
    this.#guard = new Guard(task.datagrams, task.udpPorts, broadcasts)
    Atomics.add(task.udpPorts, address.port, 1)
    this.#unreadBefore = unreadOf(descriptorOf(socket))
    const { allow } = task.datagrams
    if (allow.includes('broadcast')) socket.setBroadcast(true)
    if (isUnspecified(address.host)) keepOutGroups(descriptorOf(socket), allow, broadcasts)
    socket.on('message', this.#onDatagram)
    // The error of an earlier answer; a udp server has no connection that could fail.
    socket.on('error', () => void counters[counter.datagramsDropped]!++)
  }

  run(): Promise<void> {
    return this.#finished
  }

  readonly #onDatagram = (data: Buffer, { address, port }: RemoteInfo): void => {
    const counters = this.#counters
    this.#heard++
    counters[counter.bytesIn]! += data.length
    if (this.#accounts?.isKeeping) this.#account(data, { address, port })
    if (this.#sessions?.take(data, { address, port })) return
    const refused = this.#guard.refusal(data, address, port, performance.now())
    if (refused !== undefined) return void counters[counter[refused]]!++
    counters[counter.chunks]!++
    if (!this.#harmed && this.#sessions?.greet(data, { address, port })) return
    if (!this.#faulty) this.send(data, { address, port })
    else if (!this.#faulty.push(data, { address, port })) counters[counter.datagramsDropped]!++
  }

  #account(data: Buffer, from: Endpoint) {
    const socket = this.#socket
    const peer = peerText(from.address, from.port)
    this.#accounts!.datagram(this.#url, peer, data, {
      send: again => void (this.#left || socket.send(again, from.port, from.address, () => {})),
      mark: (mark, seen) => this.#readMarks(from, mark, seen),
    })
  }

  #readMarks(client: Endpoint, mark: number, seen: MarksSeen) {
    if (this.#left) return
    const peer = peerText(client.address, client.port)
    this.#marking.get(peer)?.()
    const { sharePort } = this.#task
    const onEcho = (bytes: number) => this.#echoed(bytes)
    const end = answerMarked({ socket: this.#socket, client, mark, sharePort, seen, onEcho })
    this.#marking.set(peer, end)
  }

  #echoed(bytes: number) {
    for (const name of ['chunks', 'datagramsAnswered'] as const) this.#counters[counter[name]]!++
    for (const name of ['bytesIn', 'bytesOut'] as const) this.#counters[counter[name]]! += bytes
  }

  /** Sends an answer, or drops it if too many wait already. */
  readonly send = (data: Uint8Array, { address, port }: Endpoint): void => {
    const counters = this.#counters
    if (this.#left || this.#socket.getSendQueueCount() >= unsentMax) {
      counters[counter.datagramsDropped]!++
      return
    }
    counters[counter.datagramsAnswered]!++
    if (this.#accounts?.isKeeping)
      this.#accounts.answered(this.#url, peerText(address, port), data.length)
    counters[counter.bytesOut]! += data.length
    this.#socket.send(data, port, address, this.#onSent)
  }

  /** Counts an answer that the system refused to send. (It was counted as answered, too.) */
  readonly #onSent = (error: Error | null): void => {
    if (error) this.#counters[counter.datagramsDropped]!++
  }

  /** From now on, a hello begins a session. */
  serveSessions(make: (outlet: SessionOutlet, counters: Float64Array) => DatagramSessions): void {
    const socket = this.#socket
    const send = (datagram: Buffer, { address, port }: Endpoint) => {
      if (this.#left) return
      this.#counters[counter.bytesOut]! += datagram.length
      socket.send(datagram, port, address, this.#onSent)
    }
    const outlet = {
      send,
      descriptor: descriptorOf(socket),
      get queued() {
        return socket.getSendQueueCount()
      },
    }
    this.#sessions = make(outlet, this.#counters)
  }

  /** Datagrams that come from now on go through faults. */
  misbehave(faulty: FaultyPeers): void {
    this.#faulty = faulty
  }

  setFaults(faults: readonly FaultSpec[]): void {
    this.#harmed = faults.length > 0
    this.#faulty?.setFaults(faults)
  }

  #askUnread() {
    const unread = unreadOf(descriptorOf(this.#socket)) - this.#unreadBefore
    this.#counters[counter.datagramsUnread] = Math.max(0, unread)
  }

  /** Answers what was received before this call, then leaves. */
  stop(now: boolean): void {
    if (now || this.#left) return this.#leave()
    if (this.#draining) return
    this.#draining = true
    const { drainMs } = this.#task
    let heard = -1
    let looks = 0
    const look = () => {
      const isQuiet = this.#heard === heard
      heard = this.#heard
      // Time is counted in looks, not by the clock: before each look, everything that had come was
      // read.
      const time = { drainMs, leavingMs: ++looks * quietMs }
      if (nextStep(time, { isQuiet, isTold: false }) !== 'tell') return
      this.#faulty?.leave()
      if (!this.#faulty?.busy && this.#socket.getSendQueueCount() === 0) this.#leave()
    }
    this.#looking = setInterval(look, quietMs)
    this.#deadline = setTimeout(() => this.#leave(), Math.min(drainMs, timerMaxMs))
  }

  #leave() {
    clearInterval(this.#looking)
    clearTimeout(this.#deadline)
    if (this.#left) return
    this.#left = true
    clearInterval(this.#asking)
    this.#askUnread()
    this.#faulty?.cancel()
    this.#sessions?.close()
    for (const end of this.#marking.values()) end()
    Atomics.sub(this.#task.udpPorts, this.address.port, 1)
    this.#socket.close(this.#finish)
  }
}
