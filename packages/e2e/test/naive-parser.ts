import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

const REFUSAL = 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n'

/** HTTP as it is written on an afternoon: the first length wins, numbers are read as far as they go, and all is 401. */
export async function startNaiveParser(): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((socket) => {
    let text = ''
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end)
        text = text.slice(end + 4)
        const length = parseInt(/^content-length: *(.*)$/im.exec(head)?.[1] ?? '0', 10) || 0
        if (/chunked/i.test(head)) text = text.slice(text.indexOf('\r\n\r\n') + 4)
        else text = text.slice(Math.max(0, length))
        socket.write(REFUSAL)
      }
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((closed) => server.close(() => closed())),
  }
}
