/** The type of a route, which answers a request. */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** What a route has to work with. */
export interface Ask {
  request: IncomingMessage
  response: ServerResponse
  query: URLSearchParams
  /** The part of the path that stands for `:id`. */
  id: string
}

export interface HandlerReply {
  status?: number
  /** The body of the answer; without a type an object is sent as JSON. */
  body: unknown
  type?: string
  headers?: Record<string, string>
}

/**
 * Answers a request. It returns undefined if it has sent the answer itself, or goes on sending it.
 */
export type Handler = (ask: Ask) => HandlerReply | undefined | Promise<HandlerReply | undefined>
