/** The server's end of a WebSocket: what the package `ws` leaves to its users. */
import { WebSocket, type RawData } from 'ws'
import { reasonOfClose } from '../../../wire/ws/closing.ts'

export class ServerSocket extends WebSocket {
  /**
   * Called before a close frame is sent. Returns whether the frame is to wait: then its caller
   * closes later, with the same code and reason.
   */
  beforeClose: (code?: number, reason?: string | Buffer) => boolean = () => false

  /**
   * The package `ws` calls this, too: to answer a close frame (with the same code and reason), and
   * if a client broke a rule (with only a code).
   */
  override close(code?: number, reason?: string | Buffer): void {
    if (this.readyState === WebSocket.OPEN && this.beforeClose(code, reason)) return
    this.closeNow(code, reason)
  }

  closeNow(code?: number, reason?: string | Buffer): void {
    super.close(code, reason ?? reasonOfClose(code ?? 0))
  }
}

/** The content of a message, which comes as one buffer by default. */
export const dataOf = (data: RawData): Buffer => data as Buffer
