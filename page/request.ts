/** Asks the server for something, or tells it to do something. */
import { escapeText } from '../src/vocabulary/escape.ts'

/** A refusal of the server, with its sentence. */
export class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** A header that no form can send; see src/dashboard/api.ts. */
const header = { 'X-Yodel': '1' }

async function answerOf(response: Response): Promise<Response> {
  if (response.ok) return response
  const { error, hint } = (await response.json().catch(() => ({}))) as Partial<
    Record<'error' | 'hint', string>
  >
  const message = [error ?? `The server answered ${response.status}.`, hint].filter(Boolean)
  throw new Refusal(response.status, message.join(' '))
}

const send = async (path: string, options: RequestInit): Promise<Response> =>
  answerOf(
    await fetch(path, options).catch(() => {
      throw new Refusal(0, 'The server does not answer.')
    }),
  )

export const get = async <T>(path: string): Promise<T> =>
  (await send(path, { headers: { Accept: 'application/json' } })).json() as Promise<T>

/** @returns the answer, or null where there is none */
export async function change<T>(
  method: 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: object,
): Promise<T | null> {
  const headers = body ? { ...header, 'Content-Type': 'application/json' } : header
  const response = await send(path, { method, headers, body: body ? JSON.stringify(body) : null })
  const text = await response.text()
  return text === '' ? null : (JSON.parse(text) as T)
}

/** A sentence may quote what came from elsewhere. */
export const messageOf = (error: unknown): string =>
  escapeText(error instanceof Error ? error.message : String(error))

/** Sends messages to a listener, and hears what comes back. */
export function openConsole(listener: number): WebSocket {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
  return new WebSocket(`${scheme}://${location.host}/api/console?listener=${listener}`)
}

/** Leaves out what is undefined or empty. */
export function query(values: Record<string, string | number | boolean | undefined>): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== '')
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
}
