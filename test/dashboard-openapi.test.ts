/** docs/openapi.json describes what is there: every route, and the shape of what it answers. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { measureDirection } from 'yodel'
import type * as OpenApi from '../src/dashboard/openapi.ts'
import type * as Operations from '../src/dashboard/operations.ts'
import type * as Routes from '../src/dashboard/routes.ts'
import { dial, echo, until } from './client.ts'
import { startBoard } from './dashboard.ts'
import { built, root } from './program.ts'

const { createRoutes } = (await import(built('dashboard/routes.js'))) as typeof Routes
const { operations } = (await import(built('dashboard/operations.js'))) as typeof Operations
const { openapi } = (await import(built('dashboard/openapi.js'))) as typeof OpenApi
const text = `${JSON.stringify(openapi(), null, 2)}\n`
const document = JSON.parse(text)
/** What is answered has nothing that is not described; others may add to it. */
const strict = JSON.parse(text, (_, value) =>
  value?.type === 'object' && value.properties ? { additionalProperties: false, ...value } : value,
)

test('docs/openapi.json is what the contract says', async () => {
  const file = `${root}docs/openapi.json`
  if (process.env['PAGES'] === 'write') writeFileSync(file, text)
  const advice = 'Make it again: PAGES=write node build/test/run.js openapi'
  assert.equal(readFileSync(file, 'utf8'), text, advice)
  await using board = await startBoard()
  assert.deepEqual((await board.ask('GET', '/api/openapi.json')).json, document)
})

test('every route is described, and everything that is described is a route', () => {
  const routes = [...createRoutes({} as Routes.DashboardParts).keys(), 'GET /api/console']
  assert.deepEqual(Object.keys(operations).toSorted(), routes.toSorted())
  const page = readFileSync(`${root}docs/control.md`, 'utf8')
  for (const path of Object.keys(document.paths as object))
    assert.ok(page.includes(path.replace('{id}', 'ID')), `docs/control.md does not have ${path}`)
  // Whatever changes something says that it needs the header.
  for (const [method, what] of Object.values(document.paths as object).flatMap(Object.entries))
    assert.equal(JSON.stringify(what).includes('parameters/Yodel'), method !== 'get')
})

test('what is answered has the shape that is described', async () => {
  const ajv = new Ajv2020({ strict: false })
  ajv.addSchema(strict, 'api')
  await using board = await startBoard({ faults: ['delay=1ms'], serve: { faults: [] } })
  await board.ask('POST', '/api/accounts', { body: { seconds: 60 } })
  const socket = await dial(board.server.address)
  await echo(socket, 'hello')
  await board.observer.observe()
  const body = { address: board.server.url, durationMs: 50 }
  await board.ask('POST', '/api/benches', { body })
  await until(async () => (await board.ask('GET', '/api/benches')).json[0].state === 'finished')
  const lists = ['history', 'timeline', 'connections', 'accounts', 'faults', 'benches']
  const paths = ['server', ...lists, 'benches/1']
  for (const path of paths) {
    const name = `/api/${path}`.replace('/1', '/{id}')
    const place = `/paths/${name.replaceAll('/', '~1')}/get/responses/200/content/application~1json`
    const { json } = await board.ask('GET', `/api/${path}`)
    const validate = ajv.getSchema(`api#${place}/schema`)!
    assert.ok(validate(json), `${path}: ${JSON.stringify(validate.errors)}`)
    assert.ok(!Array.isArray(json) || json.length > 0, `${path} is empty: nothing was checked`)
  }
  const error = ajv.getSchema('api#/components/schemas/Error')!
  assert.ok(error((await board.ask('GET', '/api/nothing')).json))
  socket.destroy()
})

test('an account has all bytes that went in one direction', async () => {
  await using board = await startBoard({ serve: { directions: true } })
  await board.ask('POST', '/api/accounts', { body: { seconds: 60 } })
  const options = { direction: 'down', durationMs: 100, warmupMs: 0, drainMs: 60_000 } as const
  const { down } = await measureDirection(board.server.address, options).finished
  const { json } = await board.ask('GET', '/api/accounts')
  const [{ bytesOut }] = json.accounts
  assert.ok(bytesOut > down!.receivedBytes, `${bytesOut} of ${down!.receivedBytes}`)
})
