/** Agents of which all is real but the load: what they count is made up, and alike for all. */
import { gzipSync } from 'node:zlib'
import { randomBytes } from 'node:crypto'
import type { RunResult } from 'yodel'
import type * as Clocks from '../src/fleet/clock-offset.ts'
import type * as Links from '../src/fleet/broker-link.ts'
import type * as Lost from '../src/fleet/lost.ts'
import type * as Members from '../src/fleet/member.ts'
import type * as Messages from '../src/fleet/messages.ts'
import type * as Packing from '../src/fleet/packed.ts'
import type * as Assignments from '../src/fleet/assignment.ts'
import type * as Urls from '../src/fleet/broker-url.ts'
import type * as Meters from '../src/metrics/meter.ts'
import type * as Saving from '../src/metrics/saved.ts'
import type * as Snapshots from '../src/metrics/snapshot.ts'
import type * as Sums from '../src/metrics/sum.ts'
import type * as Summaries from '../src/report/summarize.ts'
import type * as Benches from '../src/bench.ts'
import type * as Machines from '../src/vocabulary/machine.ts'

// However its parent ends, its end of this pipe is closed.
process.stdin.resume().once('end', () => process.exit())

const load = async <Module>(path: string) =>
  (await import(new URL(`../../dist/${path}.js`, import.meta.url).href)) as Module
const { nowMs, OffsetFinder } = await load<typeof Clocks>('fleet/clock-offset')
const { BrokerLink } = await load<typeof Links>('fleet/broker-link')
const { partOfLost } = await load<typeof Lost>('fleet/lost')
const { Member } = await load<typeof Members>('fleet/member')
const { countsMaxBytes, layout, tickAt, topics } = await load<typeof Messages>('fleet/messages')
const { changesSince, pack, splitChanges } = await load<typeof Packing>('fleet/packed')
const { optionsOfAssignment } = await load<typeof Assignments>('fleet/assignment')
const { SnapshotSum } = await load<typeof Sums>('metrics/sum')
const { saveHistogram } = await load<typeof Saving>('metrics/saved')
const { parseBrokerUrl } = await load<typeof Urls>('fleet/broker-url')
const { counter, Meter } = await load<typeof Meters>('metrics/meter')
const { since, takeSnapshot } = await load<typeof Snapshots>('metrics/snapshot')
const { distribution } = await load<typeof Summaries>('report/summarize')
const { prepareBench } = await load<typeof Benches>('bench')
const { version } = await load<typeof Machines>('vocabulary/machine')

const [urlText, countText, rateText, number] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
]
const rate = Number(rateText)

/** What is told each second, packed once for all: around 100 µs, with a tail. */
const packed: Buffer[][] = []
const snapshots: ReturnType<typeof takeSnapshot>[] = []
const meter = new Meter()
let seed = Number(number) + 1
const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
function second(tick: number): Buffer[] {
  while (packed.length <= tick) {
    for (let n = 0; n < rate; n++) {
      const ns = 80_000 + 40_000 * -Math.log(random())
      meter.histograms.response.record(ns)
      meter.histograms.service.record(ns - 3_000 * random())
      meter.histograms.lateness.record(3_000 * random())
    }
    for (const name of ['messagesPlanned', 'messagesSent', 'messagesReceived', 'chunks'] as const)
      meter.counters[counter[name]]! += rate
    for (const name of ['bytesIn', 'bytesOut'] as const) meter.counters[counter[name]]! += rate * 64
    const now = takeSnapshot([meter])
    const changes = changesSince(snapshots.at(-1), now)
    packed.push(splitChanges(changes, countsMaxBytes).map(pack))
    snapshots.push(now)
  }
  return packed[tick]!
}

let left = Number(countText)
let [sentBytes, sentCounts, largestBytes] = [0, 0, 0]

type Sync = Extract<Messages.ToAgent, { kind: 'sync' }>

/** Says and hears what an agent does. */
class Simulated {
  readonly #id = randomBytes(8).toString('hex')
  readonly #hello: Messages.Presence
  readonly #finder = new OffsetFinder()
  #link!: Links.BrokerLink
  #assignment!: Messages.Assignment
  #sync!: Sync

  constructor(n: number) {
    this.#hello = {
      kind: 'presence',
      name: `s${number}-${n}`,
      startId: randomBytes(16).toString('hex'),
      version,
      layout,
      cores: 1,
      memoryBytes: 1e9,
      descriptors: null,
      allow: [],
      maxRate: null,
      maxConnections: null,
      run: null,
    }
  }

  /** Resolves once it is there. */
  async join(): Promise<void> {
    const presence = topics.hello(this.#id)
    await new Promise<void>((resolve, reject) => {
      const arrive = async () => {
        await this.#link.subscribe(topics.toAgent(this.#id))
        await this.#link.say(presence, this.#hello, { sure: true, retain: true })
        resolve()
      }
      BrokerLink.open(
        {
          url: parseBrokerUrl(urlText),
          token: undefined,
          tls: {},
          clientId: `yodel-agent-${this.#id}`,
          presence,
        },
        {
          up: () => void arrive().catch(reject),
          down: () => {},
          message: (_, opened) =>
            opened && this.#hear((opened as { words: Messages.ToAgent }).words),
        },
      ).then(link => (this.#link = link), reject)
    })
  }

  #say(words: object, bytes?: Buffer, sure = bytes === undefined) {
    const topic = topics.toCoordinator(this.#assignment.coordinator, this.#id)
    const how = { sure, ...(bytes && { bytes }) }
    this.#link.say(topic, { run: this.#assignment.run, ...words }, how).catch(() => {})
  }

  #hear(words: Messages.ToAgent) {
    if (words.kind === 'assignment') {
      this.#assignment = words
      this.#say({ kind: 'accepted' })
      this.#say({ kind: 'ready' })
    } else if (words.kind === 'sync') this.#ping((this.#sync = words))
    else if (words.kind === 'pong') {
      this.#finder.answered(words.sentMs, words.atMs, nowMs())
      this.#ping(this.#sync)
    } else if (words.kind === 'start') this.#tell(words.atMs - this.#finder.found.offsetMs, 0)
    else if (words.kind === 'taken') void this.#leave()
  }

  #ping({ trips, pauseMs }: Sync) {
    if (this.#finder.count < trips)
      return setTimeout(
        () => this.#say({ kind: 'ping', sentMs: nowMs() }, Buffer.alloc(0)),
        2 * pauseMs * random(),
      )
    return this.#say({ kind: 'synced', ...this.#finder.found, wallMs: Date.now() - nowMs() })
  }

  #tell(startMs: number, tick: number) {
    const { durationMs } = loadOf(this.#assignment)
    const afterMs = tickAt(tick, 0, durationMs)
    setTimeout(
      () => {
        const counts = second(tick)
        for (const [piece, bytes] of counts.entries()) {
          sentCounts++
          sentBytes += bytes.length
          largestBytes = Math.max(largestBytes, bytes.length)
          this.#say({ kind: 'snapshot', tick, piece, pieces: counts.length }, bytes)
        }
        if (afterMs >= durationMs) this.#handOver(startMs, tick)
        else this.#tell(startMs, tick + 1)
      },
      startMs + afterMs - nowMs(),
    )
  }

  /** A part as large as a real one: it is made once, and differs in whose it is. */
  #handOver(startMs: number, last: number) {
    const { number: own, of } = this.#assignment
    const { run, part, ...rest } = (made ??= this.#makePart(startMs, last))
    const slice = `${own}/${of}`
    const result = {
      ...rest,
      run: {
        ...run,
        options: { ...run.options, slice },
        reproduce: run.reproduce.replace(/ --slice \S+/, ` --slice ${slice}`),
      },
      part: { ...part!, slice: own },
    }
    const bytes = gzipSync(JSON.stringify(result))
    const words = { kind: 'part', piece: 0, pieces: 1, startedMs: startMs, left: null }
    setTimeout(() => this.#say(words, bytes, true), 4 * of * random())
  }

  #makePart(startMs: number, last: number) {
    const assignment = this.#assignment
    const present = { agent: this.#id, hello: this.#hello }
    const member = new Member(present, assignment.number, new SnapshotSum())
    for (let tick = 0; tick <= last; tick++)
      for (const [piece, bytes] of second(tick).entries())
        member.snapshot({ tick, piece, pieces: second(tick).length }, bytes)
    member.countUpTo(last)
    const result = partOfLost(member, {
      run: assignment.run,
      address: assignment.address,
      options: { ...optionsOfAssignment(assignment), agents: assignment.of },
      load: loadOf(assignment),
      startMs,
      members: [],
      intervals: undefined,
      brokerDownMs: undefined,
    })
    const seconds = snapshots.slice(0, last + 1)
    const passed = seconds.map((now, n) => since(snapshots[n - 1] ?? takeSnapshot([]), now))
    const intervals = passed.map(({ response, messagesSent, bytesIn }, n) => ({
      second: n,
      seconds: 1,
      sent: messagesSent,
      received: response.count,
      bytesReceived: bytesIn,
      errors: 0,
      ratePerSecond: response.count,
      responseUs: distribution(response),
    }))
    const part = { ...result!.part!, intervals: passed.map(each => saveHistogram(each.response)) }
    return { ...result!, part, intervals, histograms: {} }
  }

  async #leave() {
    await this.#link.close(topics.hello(this.#id))
    if (--left > 0) return
    const average = Math.round(sentBytes / sentCounts)
    console.log(`counts had ${average} bytes on average, ${largestBytes} at most`)
    process.exit()
  }
}

let made: (Omit<RunResult, 'histograms'> & { histograms: object }) | undefined
let prepared: ReturnType<typeof prepareBench> | undefined
/** That of all of them. */
const loadOf = (assignment: Messages.Assignment) =>
  (prepared ??= prepareBench(assignment.address, optionsOfAssignment(assignment)))

for (let n = 0; n < Number(countText); n++) await new Simulated(n).join()
