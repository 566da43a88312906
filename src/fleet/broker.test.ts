import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Broker } from './broker.ts'
import { parseBrokerUrl } from './broker-url.ts'
import { openLink } from './broker-link.ts'
import { LocalLink } from './local-link.ts'
import type { Opened } from './sealed.ts'

const numberIn = (opened: unknown) => (opened as Opened<{ n: number }>).words.n

test('bursts in both directions are heard, and in their order', async () => {
  const heard: number[] = []
  const told: number[] = []
  const wanted = { heard: 4_000, told: 300 }
  let look = () => {}
  const all = new Promise<void>(resolve => {
    look = () => {
      if (heard.length === wanted.heard && told.length === wanted.told) resolve()
    }
  })
  const broker = await Broker.create(undefined)
  const link = new LocalLink(broker, undefined, (_, opened) => {
    heard.push(numberIn(opened))
    look()
  })
  await link.subscribe('yodel/1/from/me/+')
  const url = await broker.listen(parseBrokerUrl('mqtt://127.0.0.1:0'), undefined)
  const quiet = { up: () => {}, down: () => {} }
  const message = (_: string, opened: unknown) => {
    told.push(numberIn(opened))
    look()
  }
  const agent = await openLink(
    { url, token: undefined, tls: {}, clientId: 'agent' },
    { ...quiet, message },
  )
  await agent.subscribe('yodel/1/to/agent')
  // Those to the agent take a turn of the loop each; those from it wait behind them.
  for (let n = 0; n < wanted.told; n++) link.say('yodel/1/to/agent', { n }).catch(() => {})
  for (let n = 0; n < wanted.heard; n++) link.say('yodel/1/from/me/a', { n }).catch(() => {})
  await all
  const upTo = (length: number) => Array.from({ length }, (_, n) => n)
  assert.deepEqual([heard, told], [upTo(wanted.heard), upTo(wanted.told)])
  await agent.close()
  await link.close()
})
