/**
 * Round trips per minute under load over HTTPS, by the definition of draft-ietf-ippm-responsiveness
 * (section 4.3.1). For the connections that carry the load, the kernel says how long round trips of
 * TCP take. The draft allows that where requests cannot share a connection with a load.
 */

/** A foreign probe, and when it began, after the beginning of the measurement. */
export interface ForeignProbe {
  atMs: number
  tcpMs: number
  tlsMs: number
  httpMs: number
}

/** The round trip on connections that load, each second. */
export interface SelfProbe {
  atMs: number
  rttMs: number
}

export interface Responsiveness {
  /** The figure; null: not known, see `because`. */
  rpm: number | null
  because: string | null
  /** How stable the figure was over the last seconds, in the words of the draft. */
  confidence: 'low' | 'medium' | 'high' | null
  /** Means of the fastest 95 %; the two counts are the numbers of samples. */
  tcpMs: number | null
  tlsMs: number | null
  httpMs: number | null
  loadedMs: number | null
  foreignProbes: number
  selfProbes: number
}

/** The last seconds that count (MAD), what is trimmed (TMP), and how much is stable (SDT). */
const lastSeconds = 4
const keptShare = 0.95
const tolerance = 0.05

/** The mean of the fastest 95 %; undefined without samples. */
export function trimmed(values: readonly number[]): number | undefined {
  const kept = values.toSorted((a, b) => a - b).slice(0, Math.ceil(values.length * keptShare))
  return kept.length === 0 ? undefined : kept.reduce((sum, value) => sum + value, 0) / kept.length
}

function perMinute(foreign: readonly ForeignProbe[], self: readonly SelfProbe[]) {
  const [tcpMs, tlsMs, httpMs] = (['tcpMs', 'tlsMs', 'httpMs'] as const).map(name =>
    trimmed(foreign.map(probe => probe[name])),
  ) as [number | undefined, number | undefined, number | undefined]
  const loadedMs = trimmed(self.map(({ rttMs }) => rttMs))
  const isKnown = tcpMs !== undefined && loadedMs !== undefined && loadedMs > 0
  const rpm = isKnown
    ? (60_000 / ((tcpMs + tlsMs! + httpMs!) / 3) + 60_000 / loadedMs) / 2
    : undefined
  return { rpm, tcpMs, tlsMs, httpMs, loadedMs }
}

/** @param untilMs when the measurement ended */
export function responsivenessOf(
  foreign: readonly ForeignProbe[],
  self: readonly SelfProbe[],
  untilMs: number,
): Responsiveness {
  const between = (fromMs: number, toMs: number) => {
    const within = ({ atMs }: { atMs: number }) => atMs >= fromMs && atMs < toMs
    return [foreign.filter(within), self.filter(within)] as const
  }
  const last = between(untilMs - lastSeconds * 1e3, Infinity)
  const { rpm, tcpMs, tlsMs, httpMs, loadedMs } = perMinute(...last)
  const seconds = Array.from({ length: lastSeconds }, (_, n) => {
    const fromMs = untilMs - (lastSeconds - n) * 1e3
    return perMinute(...between(fromMs, n === lastSeconds - 1 ? Infinity : fromMs + 1e3)).rpm
  })
  return {
    rpm: rpm ?? null,
    because: rpm === undefined ? whyNot(...last) : null,
    confidence: rpm === undefined ? null : confidenceOf(seconds, rpm),
    tcpMs: tcpMs ?? null,
    tlsMs: tlsMs ?? null,
    httpMs: httpMs ?? null,
    loadedMs: loadedMs ?? null,
    foreignProbes: last[0].length,
    selfProbes: last[1].length,
  }
}

const whyNot = (foreign: readonly unknown[], self: readonly unknown[]): string =>
  foreign.length === 0
    ? 'no new connection came through in time'
    : self.length === 0
      ? 'no kernel told the round trip of the flows (it takes Linux with FFI, and some seconds)'
      : 'the flows had no round trip'

function confidenceOf(seconds: readonly (number | undefined)[], rpm: number) {
  const known = seconds.filter(value => value !== undefined)
  if (known.length < lastSeconds) return 'low'
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length
  const variance = known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length
  return Math.sqrt(variance) <= tolerance * rpm ? 'high' : 'medium'
}
