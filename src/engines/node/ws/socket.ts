/** The server's end of a WebSocket: what the package `ws` leaves to its users. */
import { WebSocket, type RawData } from 'ws'
import { reasonOfClose } from '../../../wire/ws/closing.ts'

export class ServerSocket extends WebSocket {
  /**
   * Before a close frame leaves. Returns whether it is to wait: then the caller closes later, with
   * the same code and reason.
   */
  beforeClose: (code?: number, reason?: string | Buffer) => boolean = () => false

  /**
   * Called by `ws` itself, too: to answer a close frame with its own code and reason, and where a
   * client broke the rules, with only a code.
   */
  override close(code?: number, reason?: string | Buffer): void {
    if (this.readyState === WebSocket.OPEN && this.beforeClose(code, reason)) return
    this.closeNow(code, reason)
  }

  closeNow(code?: number, reason?: string | Buffer): void {
    super.close(code, reason ?? reasonOfClose(code ?? 0))
  }
}

/** Messages come in one piece, unless other pieces are asked for. */
export const dataOf = (data: RawData): Buffer => data as Buffer
