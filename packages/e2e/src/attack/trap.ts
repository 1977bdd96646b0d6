import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server that nobody has a reason to call: who does was told to by a token or a header. */
export interface Trap {
  url: string
  /** What was asked for, `GET /jwks`. */
  visits: string[]
  close(): Promise<void>
}

/** Serves `keys` as a JWK set on 127.0.0.1, under every path. */
export async function startTrap(keys: readonly unknown[]): Promise<Trap> {
  const visits: string[] = []
  const server = createServer((req, res) => {
    visits.push(`${req.method ?? ''} ${req.url ?? ''}`)
    res.setHeader('Content-Type', 'application/json').end(JSON.stringify({ keys }))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    visits,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      }),
  }
}
