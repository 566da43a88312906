/** benchAgainst(address): two sides measured in turn; in each round a coin decides the order. */
import { randomInt } from 'node:crypto'
import { formatAddress, toAddress, type Address } from '../vocabulary/address.ts'
import { benchHere, benchDefaults, type BenchOptions, type LoadRun } from '../bench.ts'
import { UserError, usageError } from '../vocabulary/errors.ts'
import { benchOptions } from '../load/options.ts'
import { roundsOptions, type RoundsOnly } from '../load/rounds-options.ts'
import { validateOptions, defaultsOf } from '../options/form.ts'
import { unlikeIn } from '../report/compare-rounds.ts'
import { parseMetric } from '../report/objective.ts'
import type { RunResult } from '../report/result.ts'
import { isBroken, isValidRound, roundsFormat, sides, spareRounds } from '../report/rounds.ts'
import { usualFigures, type Round, type Rounds, type Side } from '../report/rounds.ts'
import { mix } from '../vocabulary/random.ts'
import { plural } from '../vocabulary/units.ts'
import { refuseSlices } from './validate.ts'
import { reproduce } from './reproduce.ts'
import { ServerCommand } from './server-command.ts'

export type { Round, Rounds } from '../report/rounds.ts'

/** How long a run of a round measures: many short ones say more than a few long ones. */
export const roundDurationMs = 2_000

export interface RoundsOptions extends BenchOptions, RoundsOnly {
  /** Called before each run. */
  onRun?: (run: { round: number; side: Side }) => void
  /** Called after each round. */
  onRound?: (round: Round) => void
}

export interface RoundsRun {
  /**
   * Rejects with a UserError if an option makes no sense, a server cannot be reached in the first
   * round, or the sides are not alike. Plain JSON; without a round if it was stopped in the first.
   */
  readonly finished: Promise<Rounds>
  /** Ends with the rounds that are complete. */
  stop(): void
}

/** Measures an address against another, or against another server of the same one. */
export function benchAgainst(address: string | Address, options: RoundsOptions): RoundsRun {
  const stopping = new AbortController()
  // The rounds start in a later turn, so that a mistake in the options also rejects the promise.
  const finished = Promise.resolve().then(() =>
    new Experiment(address, options, stopping.signal).run(),
  )
  finished.catch(() => {})
  return { finished, stop: () => stopping.abort() }
}

/** Which side comes first: a coin for each round, so that both orders are equally likely. */
export const firstIn = (round: number, orderSeed: number): Side =>
  sides[mix(mix(orderSeed) + round) >>> 31]!

class Experiment {
  readonly #addresses: Record<Side, Address>
  readonly #commands: Record<Side, string | undefined>
  readonly #load: BenchOptions
  readonly #options: RoundsOptions
  readonly #stopping: AbortSignal
  readonly #document: Rounds
  #running: LoadRun | undefined

  constructor(address: string | Address, options: RoundsOptions, stopping: AbortSignal) {
    validateOptions(roundsOptions, options)
    const { against, rounds, serve, againstServe, figures, margin, orderSeed, ...rest } = options
    const { onRun: _, onRound: __, ...load } = rest
    validateOptions(benchOptions, load)
    refuseSlices(load)
    if (against === undefined && (serve === undefined || againstServe === undefined))
      throw usageError(
        'There is nothing to measure against.',
        'Name another address (--against), or a command for each side (--serve, --against-serve).',
      )
    const isOpenLoop = load.ratePerSecond !== undefined || load.stages !== undefined
    const wanted = figures ?? usualFigures(isOpenLoop)
    wanted.forEach(checkFigure)
    this.#stopping = stopping
    this.#options = options
    this.#addresses = { subject: toAddress(address), baseline: toAddress(against ?? address) }
    this.#commands = { subject: serve, baseline: againstServe }
    const isLimited = load.count !== undefined || load.stages !== undefined
    this.#load = { ...(!isLimited && { durationMs: roundDurationMs }), ...load }
    const seed = orderSeed ?? randomInt(2 ** 32)
    const usual = defaultsOf(roundsOptions)
    const said = { ...options, orderSeed: seed }
    const side = (name: Side) => ({
      address: formatAddress(this.#addresses[name]),
      serve: this.#commands[name] ?? null,
    })
    this.#document = {
      format: roundsFormat,
      baseline: side('baseline'),
      subject: side('subject'),
      orderSeed: seed,
      figures: wanted,
      margin: margin ?? usual.margin,
      roundsWanted: rounds ?? usual.rounds,
      reproduce: reproduce('bench', address, { ...benchOptions, ...roundsOptions }, said),
      rounds: [],
      stoppedBecause: null,
    }
    stopping.addEventListener('abort', () => this.#running?.stop('now'))
  }

  async run(): Promise<Rounds> {
    const document = this.#document
    const { rounds, roundsWanted } = document
    const left = () => rounds.filter(round => !isValidRound(round)).length
    // A round with a run that is not valid is measured again, up to a limit.
    while (rounds.length - left() < roundsWanted && left() <= spareRounds(roundsWanted)) {
      try {
        const round = await this.#round(rounds.length)
        rounds.push(round)
        this.#options.onRound?.(round)
        const unlike = unlikeIn([round])
        if (unlike.length > 0)
          throw usageError(unlike[0]!, 'Give it as an option: both sides have the same options.')
        // The figures of a run that failed may leave out messages that did not come back, so they
        // cannot be compared.
        if (sides.some(side => isBroken(round, side))) break
      } catch (error) {
        if (this.#stopping.aborted) {
          document.stoppedBecause = `It was stopped after ${plural(rounds.length, 'round')}.`
          break
        }
        if (!(error instanceof UserError) || rounds.length === 0 || error.kind === 'usage')
          throw error
        document.stoppedBecause = `${error.message} ${error.hint}`.trim()
        break
      }
    }
    return document
  }

  async #round(index: number): Promise<Round> {
    const first = firstIn(index, this.#document.orderSeed)
    const second = sides.find(side => side !== first)!
    const results: Partial<Record<Side, RunResult>> = {}
    for (const side of [first, second]) {
      this.#stopping.throwIfAborted()
      this.#options.onRun?.({ round: index + 1, side })
      results[side] = await this.#measure(side)
      this.#stopping.throwIfAborted()
    }
    return { first, baseline: results.baseline!, subject: results.subject! }
  }

  async #measure(side: Side): Promise<RunResult> {
    const [address, command] = [this.#addresses[side], this.#commands[side]]
    if (command === undefined) return this.#bench(address)
    const { timeoutMs = benchDefaults.timeoutMs, calling } = this.#load
    const reaching = { timeoutMs, ...(calling && { calling }) }
    await using server = await ServerCommand.start(command, address, reaching, this.#stopping)
    const result = await this.#bench(address)
    server.check()
    return result
  }

  #bench(address: Address): Promise<RunResult> {
    this.#running = benchHere(address, this.#load)
    return this.#running.finished
  }
}

function checkFigure(name: string) {
  const { kind } = parseMetric(name)
  if (kind !== 'time' && kind !== 'rate')
    throw usageError(`'${name}' is neither a time nor a rate.`, `Use --fail-if '${name}>0' for it.`)
}
