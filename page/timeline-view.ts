/** The timeline as a picture: which lane lies where, and how it is drawn. */
import type { Lane } from '../src/dashboard/api.ts'
import { ageText, nameOf } from './format.ts'
import { canvasFont, color } from './theme.ts'

export interface View {
  lanes: Lane[]
  /** The instants at its left and right edge, and how many parts the axis has. */
  from: number
  to: number
  parts: number
  width: number
  height: number
  /** How far it is scrolled. */
  top: number
  /** Height of a lane with the gap below it. */
  pitch: number
  selected: string | null
}

/** Room for names at the left, if lanes are high enough for them, and for the time below. */
const nameGutterPx = 132
export const axisPx = 20
const leastPitch = 2
export const mostPitch = 18
const namePitch = 11
const gutterOf = (pitch: number): number => (pitch >= namePitch ? nameGutterPx : 0)

export const beginOf = (lane: Lane): number => lane.waitingFrom ?? lane.servedFrom ?? 0
export const endOf = (lane: Lane, now: number): number => lane.until ?? now

/** The lanes that are visible, in the order in which they came. */
export const lanesWithin = (all: Iterable<Lane>, from: number, now: number): Lane[] =>
  [...all]
    .filter(lane => endOf(lane, now) > from)
    .toSorted((a, b) => beginOf(a) - beginOf(b) || (a.servedFrom ?? now) - (b.servedFrom ?? now))

/** Lanes share the height while they are high enough to be seen; then the timeline scrolls. */
export const pitchOf = (count: number, height: number): number =>
  Math.max(leastPitch, Math.min(mostPitch, Math.floor((height - axisPx) / Math.max(count, 1))))

export const laneAt = ({ lanes, top, pitch }: View, y: number): Lane | undefined =>
  lanes[Math.floor((y + top) / pitch)]

const places = ({ from, to, width, pitch }: View) => {
  const gutter = gutterOf(pitch)
  const scale = (width - gutter) / (to - from)
  return (at: number) => gutter + (Math.max(at, from) - from) * scale
}

export function draw(context: CanvasRenderingContext2D, view: View): void {
  const { width, height, lanes, top, pitch } = view
  context.clearRect(0, 0, width, height)
  context.font = canvasFont
  context.textBaseline = 'middle'
  drawAxis(context, view)
  const colors = { served: color('served'), waiting: color('waiting'), text: color('muted') }
  const last = Math.min(lanes.length, Math.ceil((top + height - axisPx) / pitch))
  for (let index = Math.floor(top / pitch); index < last; index++) {
    const y = index * pitch - top
    if (lanes[index]!.id === view.selected) {
      context.fillStyle = color('selected')
      context.fillRect(0, y, width, pitch)
    }
    drawLane(context, lanes[index]!, y, view, colors)
  }
  context.clearRect(0, height - axisPx, width, axisPx)
  drawTimes(context, view)
}

function drawLane(
  context: CanvasRenderingContext2D,
  lane: Lane,
  y: number,
  view: View,
  colors: Record<'served' | 'waiting' | 'text', string>,
): void {
  const at = places(view)
  const bar = view.pitch - (view.pitch >= 8 ? 3 : view.pitch >= 6 ? 2 : view.pitch >= 4 ? 1 : 0)
  const { waitingFrom, servedFrom, until } = lane
  if (waitingFrom !== null) {
    // Thinner than what is served: the two differ without colour, too.
    const thin = Math.max(1, Math.round(bar * 0.4))
    const end = at(servedFrom ?? until ?? view.to)
    context.fillStyle = colors.waiting
    context.fillRect(at(waitingFrom), y + (bar - thin) / 2, end - at(waitingFrom), thin)
  }
  if (servedFrom !== null) {
    context.fillStyle = colors.served
    context.globalAlpha = idleAlpha
    const start = at(servedFrom)
    context.fillRect(start, y, Math.max(1, at(until ?? view.to) - start), bar)
    drawActivity(context, lane, servedFrom, y, bar, view)
    context.globalAlpha = 1
  }
  if (view.pitch >= namePitch) {
    context.fillStyle = lane.id === view.selected ? color('text') : colors.text
    context.textAlign = 'left'
    context.fillText(shortPeer(nameOf(lane)), 0, y + bar / 2, nameGutterPx - 8)
  }
}

const idleAlpha = 0.2

/** Bytes in a second → 1 to 6, one more for each tenfold: 10 B is dim, 1 MB is full. */
const levelOf = (bytes: number): number =>
  Math.max(1, Math.min(mostLevel, Math.ceil(Math.log10(bytes))))
const mostLevel = 6

/** Seconds of the same brightness that follow each other are one stroke. */
function drawActivity(
  context: CanvasRenderingContext2D,
  { activity, until }: Lane,
  servedFrom: number,
  y: number,
  bar: number,
  view: View,
): void {
  const at = places(view)
  const end = until ?? view.to
  let [first, next, level] = [0, 0, 0]
  const stroke = () => {
    const [from, to] = [servedFrom + first * 1e3, Math.min(servedFrom + next * 1e3, end)]
    if (level === 0 || to <= view.from) return
    context.globalAlpha = level / mostLevel
    context.fillRect(at(from), y, Math.max(1, at(to) - at(from)), bar)
  }
  for (const [second, bytes] of activity) {
    const its = levelOf(bytes)
    if (second === next && its === level) {
      next = second + 1
      continue
    }
    stroke()
    first = second
    next = second + 1
    level = its
  }
  stroke()
}

function drawAxis(context: CanvasRenderingContext2D, view: View): void {
  context.fillStyle = color('grid')
  const { parts } = view
  const gutter = gutterOf(view.pitch)
  for (let part = 0; part <= parts; part++) {
    const x = gutter + ((view.width - gutter) * part) / parts
    context.fillRect(Math.min(Math.round(x), view.width - 1), 0, 1, view.height - axisPx)
  }
}

function drawTimes(context: CanvasRenderingContext2D, view: View): void {
  context.fillStyle = color('muted')
  const { parts } = view
  const gutter = gutterOf(view.pitch)
  const every = view.width < 600 ? 2 : 1
  for (let part = 0; part <= parts; part += every) {
    const ago = ((view.to - view.from) * (parts - part)) / parts
    const x = gutter + ((view.width - gutter) * part) / parts
    context.textAlign = part === parts ? 'right' : part === 0 ? 'left' : 'center'
    context.fillText(part === parts ? 'now' : `−${ageText(ago)}`, x, view.height - axisPx / 2)
  }
}

/** Addresses that are too long keep their end, where they differ. */
const shortPeer = (peer: string): string => (peer.length > 21 ? `…${peer.slice(-20)}` : peer)
