/** The whole page, from top to bottom. */
import { Bench } from './bench.tsx'
import { Charts } from './charts.tsx'
import { Confirm } from './confirm.tsx'
import { Connections } from './connections.tsx'
import { Console } from './console.tsx'
import { Faults } from './faults.tsx'
import { Header } from './header.tsx'
import { Headline } from './headline.tsx'
import { ListenerList } from './listeners.tsx'
import { link } from './state.ts'
import { Timeline } from './timeline.tsx'

export const Page = () => (
  <>
    <a class="skip" href="#figures">
      Skip to the figures
    </a>
    <Header />
    <main class={link.value === 'live' ? '' : 'stale'}>
      <section id="figures" aria-label="Figures">
        <ListenerList />
        <Headline />
        <Charts />
      </section>
      <Timeline />
      <Connections />
      <div class="columns">
        <Faults />
        <Console />
      </div>
      <Bench />
    </main>
    <Confirm />
  </>
)
