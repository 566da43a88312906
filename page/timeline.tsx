/** A lane for each client: when it waited, when it was served, and how many bytes moved. */
import { computed, signal, useSignalEffect } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { Lane } from '../src/dashboard/api.ts'
import { ageText, formatCount, nameOf, sizeText } from './format.ts'
import { lanes, listenerOf, mostLanes, ownName, seconds, server, serverNow } from './state.ts'
import { isDark } from './theme.ts'
import * as view from './timeline-view.ts'
import { figures, isShown, span, whereText } from './view.ts'

/** The lane under the pointer, or the one that the arrow keys have reached. */
const selected = signal<string | null>(null)
const size = signal({ width: 0, height: 0 })
const scrolled = signal(0)

const drawn = computed((): view.View => {
  void seconds.value
  const to = serverNow()
  const from = to - span.value.ms
  const wanted = [...lanes.value.values()].filter(({ listener }) => isShown(listener))
  const visible = view.lanesWithin(wanted, from, to)
  const pitch = view.pitchOf(visible.length, size.value.height)
  const { width, height } = size.value
  return {
    lanes: visible,
    from,
    to,
    parts: span.value.parts,
    width,
    height,
    pitch,
    top: scrolled.value,
    selected: selected.value,
  }
})

export const Timeline = () => (
  <section id="timeline" aria-labelledby="timeline-title" class="panel">
    <div class="head">
      <h2 id="timeline-title">Timeline</h2>
      <p class="summary" id="timeline-summary">
        {summary(drawn.value.lanes)}
        {whereText()}
      </p>
    </div>
    <Lanes />
    <div class="foot">
      <Legend />
      <p class="readout" aria-live="polite">
        {drawn.value.lanes.length === 0
          ? `No client in the last ${span.value.name}.`
          : readout(drawn.value)}
      </p>
    </div>
  </section>
)

function summary(visible: Lane[]): string {
  const there = visible.filter(({ until }) => until === null)
  const served = there.filter(({ servedFrom }) => servedFrom !== null).length
  const waiting = there.length - served
  const last = figures.value.at(-1)
  // More than the server keeps: only it knows how many they are.
  if (last && last.open + (last.waiting ?? 0) > there.length && lanes.value.size >= mostLanes)
    return (
      `${formatCount(last.open)} served, ${formatCount(last.waiting ?? waiting)} waiting; ` +
      `the newest ${mostLanes} are shown`
    )
  return `${served} served, ${waiting} waiting, ${visible.length - there.length} gone`
}

/** The life of a client in a sentence. */
function readout({ lanes, selected }: view.View): string {
  const lane = lanes.find(({ id }) => id === selected)
  if (!lane) return 'A lane is a client. Point at one, or use the arrow keys, to see whose it is.'
  const now = serverNow()
  const { waitingFrom, servedFrom, until, activity } = lane
  const end = until ?? now
  const parts: string[] = []
  if (waitingFrom !== null) {
    const verb = servedFrom === null && until === null ? 'has waited' : 'waited'
    parts.push(`${verb} for ${ageText((servedFrom ?? end) - waitingFrom)}`)
  }
  if (servedFrom !== null) {
    const bytes = activity.reduce((sum, [, bytes]) => sum + bytes, 0)
    const verb = until === null ? 'is being served for' : 'was served for'
    parts.push(`${verb} ${ageText(end - servedFrom)}, ${sizeText(bytes)} in and out`)
  }
  const mine = ownName(lane)
  const who = mine === null ? '' : ` (the ${mine} of this page)`
  const several = (server.value?.listeners.length ?? 0) > 1
  const where = several ? ` at ${listenerOf(lane.listener)?.url}` : ''
  return `${nameOf(lane)}${who}${where}: ${parts.join(', ')}${until === null ? '' : '; gone'}`
}

const Legend = () => (
  <p class="legends">
    <span class="legend">
      <i class="lane waiting" /> waiting: connected, but not served yet
    </span>
    <span class="legend">
      <i class="lane served idle" /> served, silent
    </span>
    <span class="legend">
      <i class="lane served" /> served, the stronger the more bytes in a second
    </span>
  </p>
)

const mostPx = 300
let tallestPx = 4 * view.mostPitch + view.axisPx

function Lanes() {
  const scroller = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = scroller.current!
      size.value = { width, height }
    })
    observer.observe(scroller.current!)
    return () => observer.disconnect()
  }, [])
  useSignalEffect(() => {
    void isDark.value
    paint(canvas.current!, drawn.value)
  })
  const { pitch, lanes: visible, height } = drawn.value
  // It grows with its clients, and does not shrink: what is below would move to and fro.
  tallestPx = Math.min(mostPx, Math.max(tallestPx, visible.length * view.mostPitch + view.axisPx))
  // The canvas stays in place, this makes the scroller long enough.
  const rest = Math.max(0, visible.length * pitch + view.axisPx - height)
  return (
    <div
      class="lanes"
      style={{ height: `${tallestPx}px` }}
      ref={scroller}
      tabIndex={0}
      role="group"
      aria-label="Clients, oldest first"
      aria-describedby="timeline-summary"
      onScroll={() => (scrolled.value = scroller.current!.scrollTop)}
      onKeyDown={event => move(event, scroller.current!)}
    >
      <canvas
        ref={canvas}
        onPointerMove={event => point(event)}
        onPointerDown={event => point(event)}
        onPointerLeave={({ pointerType }) => {
          // A finger that is lifted has not gone elsewhere.
          if (pointerType === 'mouse') selected.value = null
        }}
      />
      <div style={{ height: `${rest}px` }} />
    </div>
  )
}

function paint(canvas: HTMLCanvasElement, picture: view.View): void {
  const { width, height } = picture
  if (width === 0) return
  const ratio = devicePixelRatio
  canvas.width = width * ratio
  canvas.height = height * ratio
  canvas.style.width = `${width}px`
  canvas.style.height = `${height}px`
  const context = canvas.getContext('2d')!
  context.scale(ratio, ratio)
  view.draw(context, picture)
}

function point({ offsetY }: PointerEvent): void {
  selected.value = view.laneAt(drawn.peek(), offsetY)?.id ?? null
}

const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }

function move(event: KeyboardEvent, scroller: HTMLElement): void {
  const step = steps[event.key]
  if (step === undefined) return
  event.preventDefault()
  const { lanes: visible, pitch, height } = drawn.peek()
  const now = visible.findIndex(({ id }) => id === selected.peek())
  // The first step goes to the oldest lane that is still there.
  const start = visible.findIndex(({ until }) => until === null)
  const wanted = now === -1 ? start : now + step
  const next = Math.max(0, Math.min(visible.length - 1, wanted))
  selected.value = visible[next]?.id ?? null
  const [y, seen] = [next * pitch, height - view.axisPx]
  if (y < scroller.scrollTop) scroller.scrollTop = y
  else if (y + pitch > scroller.scrollTop + seen) scroller.scrollTop = y + pitch - seen
}
