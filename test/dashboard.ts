/** Starts a dashboard in this process, and asks it over real HTTP. */
import { request, type IncomingHttpHeaders } from 'node:http'
import { parseFault, serve, type ServeOptions, type Server } from 'yodel'
import type * as Dashboards from '../src/dashboard/index.ts'
import type * as Observers from '../src/dashboard/observer.ts'
import { built } from './program.ts'

const { startDashboard } = (await import(built('dashboard/index.js'))) as typeof Dashboards
export const { Observer } = (await import(built('dashboard/observer.js'))) as typeof Observers

export interface BoardOptions extends Partial<Dashboards.DashboardOptions> {
  serve?: ServeOptions
  /** A server that runs already, and goes on afterwards: to start one costs more. */
  server?: Server
  host?: string
  faults?: string[] | undefined
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
  json: any
}

export interface Question {
  headers?: Record<string, string>
  body?: string | object
}

export interface Board extends AsyncDisposable {
  server: Server
  observer: Observers.Observer
  dashboard: Dashboards.Dashboard
  port: number
  drained: boolean
  /** Asks as a program does: with X-Yodel for changes, and the body as JSON. */
  ask(method: string, path: string, question?: Question): Promise<Answer>
}

export async function startBoard(options: BoardOptions = {}): Promise<Board> {
  const { serve: serving = {}, server: there, host = '127.0.0.1', faults, ...others } = options
  const server = there ?? (await serve(':0', { engine: 'node', ledger: true, ...serving }))
  const observer = new Observer([{ server, concurrency: serving.concurrency ?? Infinity }])
  const dashboard = await startDashboard({
    observer,
    listeners: [{ server, faults: faults?.map(parseFault) }],
    address: { transport: 'tcp', host, port: 0 },
    onDrain: () => {
      board.drained = true
    },
    onDefect: error => {
      throw error
    },
    ...others,
  })
  const port = Number(/:(\d+)\/$/.exec(dashboard.url)![1])
  const board: Board = {
    server,
    observer,
    dashboard,
    port,
    drained: false,
    ask: (method, path, question) => ask(port, method, path, question),
    async [Symbol.asyncDispose]() {
      observer.stop()
      await dashboard.close()
      if (!there) await server.close('now')
    },
  }
  return board
}

export function ask(
  port: number,
  method: string,
  path: string,
  { headers = {}, body }: Question = {},
): Promise<Answer> {
  const isJson = typeof body === 'object'
  const text = isJson ? JSON.stringify(body) : body
  const chunked = Object.hasOwn(headers, 'Transfer-Encoding')
  const own = {
    ...(text !== undefined && !chunked && { 'Content-Length': `${Buffer.byteLength(text)}` }),
    ...(method !== 'GET' && { 'X-Yodel': '1' }),
    ...(isJson && { 'Content-Type': 'application/json' }),
  }
  return new Promise((resolve, reject) => {
    const asked = request({ port, method, path, agent: false, headers: { ...own, ...headers } })
    asked.on('error', reject)
    asked.on('response', response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const isJson = response.headers['content-type'] === 'application/json'
        const json: unknown = isJson ? JSON.parse(text) : undefined
        resolve({ status: response.statusCode!, headers: response.headers, text, json })
      })
    })
    asked.end(text)
  })
}
