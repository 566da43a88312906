/** The whole page, from top to bottom. */
import { Bench } from './bench.tsx'
import { Charts } from './history.tsx'
import { Confirm } from './confirm.tsx'
import { Connections } from './connections.tsx'
import { Console } from './console.tsx'
import { Faults } from './faults.tsx'
import { Header } from './header.tsx'
import { Headline } from './headline.tsx'
import { Listeners } from './listeners.tsx'
import { link, server } from './state.ts'
import { Timeline } from './timeline.tsx'
import { shown } from './view.ts'

/** Whether the faults of one listener are shown, which fit beside the console. */
const isSingle = () => shown.value !== null || server.value?.listeners.length === 1

export const Page = () => (
  <>
    <a class="skip" href="#figures">
      Skip to the figures
    </a>
    <Header />
    <main class={link.value === 'live' ? '' : 'stale'}>
      <section id="figures" aria-label="Figures">
        <Listeners />
        <Headline />
        <Charts />
      </section>
      <Bench />
      <Timeline />
      <Connections />
      <div class={isSingle() ? 'columns' : 'stack'}>
        <Console />
        <Faults />
      </div>
    </main>
    <Confirm />
  </>
)
