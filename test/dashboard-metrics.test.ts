/** What Prometheus gets, and that the real one understands it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type * as Prometheus from '../src/dashboard/prometheus.ts'
import { dial, echo, freePort, until } from './client.ts'
import { ask, startBoard, type Board } from './dashboard.ts'
import { onlyFull } from './full.ts'
import { built, missing, Program, root } from './program.ts'

const { MetricsText } = (await import(built('dashboard/prometheus.js'))) as typeof Prometheus

/** Name and labels → value. */
async function metrics(board: Board): Promise<Map<string, number>> {
  const { text, headers } = await board.ask('GET', '/metrics')
  assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  const samples = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(
    samples.map(line => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at + 1))]
    }),
  )
}

test('the counters are those of the clients', async () => {
  await using board = await startBoard()
  const own = `listener="${board.server.url}",engine="node"`
  const socket = await dial(board.server.address)
  for (let n = 0; n < 3; n++) await echo(socket, 'hello')
  const during = await metrics(board)
  assert.equal(during.get(`yodel_connections_open{${own}}`), 1)
  assert.equal(during.get(`yodel_connections_waiting{${own}}`), 0)
  assert.equal(during.get(`yodel_received_bytes_total{${own}}`), 15)
  assert.equal(during.get(`yodel_sent_bytes_total{${own}}`), 15)
  assert.equal(during.get(`yodel_connection_errors_total{${own},class="reset"}`), 0)
  socket.resetAndDestroy()
  const lived = `yodel_connection_duration_seconds_count{${own},thread="0"}`
  await until(async () => (await metrics(board)).get(lived) === 1)
  const then = await metrics(board)
  assert.equal(then.get(`yodel_connections_open{${own}}`), 0)
  assert.equal(then.get(`yodel_connections_total{${own}}`), 1)
  assert.equal(then.get(`yodel_connection_errors_total{${own},class="reset"}`), 1)
  const last = `yodel_connection_duration_seconds_bucket{${own},thread="0",le="+Inf"}`
  assert.equal(then.get(last), 1)
  assert.ok([...then.values()].every(value => value >= 0))
})

test('labels are escaped, buckets add up, and what is not known is left out', () => {
  const text = new MetricsText()
  text.add('gauge', 'a', 'Help.', [
    [{ x: 'quote " backslash \\ line \n end' }, 1],
    [{ x: 'unknown' }, undefined],
  ])
  text.add('gauge', 'nothing', 'Help.', [[{}, undefined]])
  text.addHistogram('h', 'Help.', [1, 2], [{ labels: {}, counts: [3, 0, 4], sum: 9.5 }])
  assert.equal(
    text.toString(),
    [
      '# HELP a Help.',
      '# TYPE a gauge',
      'a{x="quote \\" backslash \\\\ line \\n end"} 1',
      '# HELP h Help.',
      '# TYPE h histogram',
      'h_bucket{le="1"} 3',
      'h_bucket{le="2"} 3',
      'h_bucket{le="+Inf"} 7',
      'h_sum 9.5',
      'h_count 7',
      '',
    ].join('\n'),
  )
})

test('promtool finds nothing to complain of', { skip: missing('promtool') }, async () => {
  await using board = await startBoard()
  const { text } = await board.ask('GET', '/metrics')
  const { status, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text })
  assert.equal(stderr.toString(), '')
  assert.equal(status, 0)
})

test(
  'a real Prometheus scrapes it, and answers every query of the Grafana dashboard',
  {
    // It takes 5 s to begin.
    skip: onlyFull || missing('prometheus'),
  },
  async () => {
    await using board = await startBoard()
    const socket = await dial(board.server.address)
    await echo(socket, 'hello')
    const folder = mkdtempSync(join(tmpdir(), 'yodel-prometheus-'))
    const port = await freePort()
    writeFileSync(
      join(folder, 'config.yml'),
      `global: { scrape_interval: 200ms, scrape_timeout: 200ms }
scrape_configs:
  - job_name: yodel
    static_configs: [{ targets: ['127.0.0.1:${board.port}'] }]
`,
    )
    try {
      await using prometheus = new Program(
        'prometheus',
        [
          `--config.file=${folder}/config.yml`,
          `--storage.tsdb.path=${folder}/data`,
          `--web.listen-address=127.0.0.1:${port}`,
        ],
        'ignore',
      )
      await prometheus.says(/Server is ready to receive web requests/)
      const query = async (text: string) => {
        const path = `/api/v1/query?query=${encodeURIComponent(text)}`
        return JSON.parse((await ask(port, 'GET', path)).text)
      }
      // It learns of its targets 5 s after its start, whatever is configured.
      await until(async () => {
        const { data } = await query('yodel_received_bytes_total')
        return data.result[0]?.value[1] === '5'
      })
      const grafana = JSON.parse(readFileSync(`${root}docs/grafana.json`, 'utf8'))
      const expressions = grafana.panels.flatMap((panel: any) =>
        (panel.targets ?? []).map((target: any) => target.expr as string),
      ) as string[]
      assert.ok(expressions.length >= 8)
      const values = await ask(port, 'GET', '/api/v1/label/__name__/values')
      const names = JSON.parse(values.text).data as string[]
      await Promise.all(
        expressions.map(async expression => {
          const text = expression.replaceAll('$__rate_interval', '1s').replaceAll('$listener', '.*')
          const { status, error } = await query(text)
          assert.equal(status, 'success', `${text}: ${error}`)
          for (const name of text.match(/yodel_\w+|process_\w+/g)!)
            assert.ok(names.includes(name), `${name} does not exist`)
        }),
      )
    } finally {
      socket.destroy()
      rmSync(folder, { recursive: true, force: true })
    }
  },
)
