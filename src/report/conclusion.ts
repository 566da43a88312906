/**
 * What the figures of a comparison mean, in words. A sentence claims nothing that they do not show.
 */
import { formatCount, formatDuration, formatSize, plural } from '../vocabulary/units.ts'
import {
  medianOfRounds,
  type EngineComparison,
  type ModelFigure,
  type ModelResult,
} from './models.ts'

/** Ratios nearer to 1 are called the same: a busy machine changes by as much between two runs. */
const sameWithin = 0.1
/** With fewer rounds than this their spread is not known. */
const roundsToJudge = 3
/** If the load generator has less of its processor left, the rate says little of the server. */
const generatorBusyShare = 0.9

export function conclusions({ models, connections }: EngineComparison): string[] {
  const measured = (name: string) =>
    models.find(model => model.name === name && model.rounds.length > 0)
  const [one, threads, pool] = ['one', 'threads', 'pool'].map(measured)
  const [loop, uring] = ['node', 'uring'].map(measured)
  return [
    one && waited(one, connections),
    threads && bought(threads, pool, connections),
    threads && loop && cost(threads, loop),
    uring && loop && versus('io_uring', uring, loop),
    limited(models),
    loop && (threads ?? uring) && fewRounds(loop),
  ].filter(sentence => sentence !== undefined)
}

const served = (model: ModelResult): number => medianOfRounds(model, 'servedClients') ?? 0

function waited(one: ModelResult, connections: number): string {
  const waiting = connections - served(one)
  if (waiting <= 0) return `One at a time served ${all(one, connections)}.`
  return (
    `One at a time served ${all(one, connections)}: ` +
    `${waiting === 1 ? 'the other one' : `the other ${formatCount(waiting)}`} ` +
    'waited until that client left.'
  )
}

function all(model: ModelResult, connections: number): string {
  if (served(model) < connections)
    return `${formatCount(served(model))} of ${plural(connections, 'client')}`
  return connections === 1 ? 'the only client' : `all ${formatCount(connections)} clients`
}

function bought(threads: ModelResult, pool: ModelResult | undefined, connections: number): string {
  const text = `A thread per client served ${all(threads, connections)} at the same time`
  if (!pool) return `${text}.`
  const left = connections - served(pool)
  const rest = left > 0 ? `, and let ${formatCount(left)} wait` : ''
  return `${text}; the ${pool.label} served ${formatCount(served(pool))}${rest}.`
}

/** What a thread for each client costs, as far as this system tells. */
function cost(threads: ModelResult, loop: ModelResult): string {
  const [mine, others] = [threads, loop].map(model => medianOfRounds(model, 'memoryPerClientBytes'))
  const memory = (bytes: number) => formatSize(Math.max(0, Math.round(bytes)))
  // A ratio would be mostly noise: the event loop's memory for a client is near the size of a page.
  const memories =
    mine === undefined || others === undefined
      ? ''
      : `A client took ${memory(mine)} of memory (event loop: ${memory(others)}), and `
  const admission = formatDuration(medianOfRounds(threads, 'admissionMs') ?? 0)
  return (
    `${versus('a thread per client', threads, loop)} ` +
    `${memories}${memories ? 'it' : 'It'} took ${admission} until all its threads had started.`
  )
}

/** Rate and processor time of a model, as multiples of the event loop's. */
function versus(name: string, model: ModelResult, loop: ModelResult): string {
  const parts = [
    ratio(model, loop, 'ratePerSecond', 'rate'),
    ratio(model, loop, 'cpuPerEchoUs', 'CPU per echo'),
  ].filter(part => part !== undefined)
  return `Compared with the event loop, ${name} had ${parts.join(' and ')}.`
}

/** `2.3 times the rate`, or `about the same rate`. */
function ratio(
  a: ModelResult,
  b: ModelResult,
  figure: ModelFigure,
  noun: string,
): string | undefined {
  const [mine, others] = [medianOfRounds(a, figure), medianOfRounds(b, figure)]
  if (mine === undefined || others === undefined || !(others > 0)) return undefined
  const times = mine / others
  if (Math.abs(times - 1) <= sameWithin || overlap(a, b, figure)) return `about the same ${noun}`
  return `${times.toFixed(times < 1 ? 2 : times < 10 ? 1 : 0)} times the ${noun}`
}

/** Whether the ranges of two figures overlap, if there are enough rounds to know them. */
function overlap(a: ModelResult, b: ModelResult, figure: ModelFigure): boolean {
  const [mine, others] = [a, b].map(({ rounds }) =>
    rounds.map(round => round[figure]).filter(value => value !== undefined),
  ) as [number[], number[]]
  if (mine.length < roundsToJudge || others.length < roundsToJudge) return false
  return Math.min(...mine) <= Math.max(...others) && Math.min(...others) <= Math.max(...mine)
}

/** Models for which the load was the limit, so that the rate says little of the server. */
function limited(models: ModelResult[]): string | undefined {
  const busy = models.filter(
    model =>
      (medianOfRounds(model, 'loadCpuShare') ?? 0) >= generatorBusyShare && served(model) > 0,
  )
  if (busy.length === 0) return undefined
  const names = busy.map(({ label }) => label).join(', ')
  return `The load generator was the limit (${names}): the server could do more than that rate.`
}

const fewRounds = ({ rounds }: ModelResult): string | undefined =>
  rounds.length < roundsToJudge
    ? `Measured ${rounds.length === 1 ? 'once' : 'twice'}: another run may give another result.`
    : undefined
