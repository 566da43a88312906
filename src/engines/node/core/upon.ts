/** What is opened on top of a stream that is open already: TLS, WebSocket, HTTP. */
import type { Duplex } from 'node:stream'

/** If `open` fails, this closes the stream below, which would keep the process alive. */
export async function upon<Upper>(
  below: Duplex,
  open: () => Upper | Promise<Upper>,
): Promise<Upper> {
  try {
    return await open()
  } catch (error) {
    below.destroy()
    throw error
  }
}
