import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { portOf } from '../ports.ts'
import { envelope, FileMakerError } from './errors.ts'
import { createFaults } from './faults.ts'
import type { Fault, FaultOptions } from './faults.ts'
import { openKeptFile } from './kept-file.ts'
import { readText } from './request.ts'
import { answer } from './routes.ts'
import type { Answer } from './routes.ts'
import { createSessions } from './sessions.ts'
import { createTable } from './table.ts'
import type { FieldDefinition, Table } from './table.ts'

export interface EmulatorOptions {
  /** Fields by layout. */
  layouts: Readonly<Record<string, readonly FieldDefinition[]>>
  database?: string
  username?: string
  password?: string
  /** Any free port unless said. */
  port?: number
  /** Where the records stay between runs; without, they end with the emulator. */
  file?: string
  maxSessions?: number
  now?: () => number
}

/** A request as it came in. */
export interface SeenRequest {
  method: string
  /** As it stood on the wire. */
  url: string
  headers: IncomingMessage['headers']
  body: string
}

export interface FileMakerEmulator {
  /** `http://127.0.0.1:<port>` */
  url: string
  database: string
  username: string
  password: string
  /** A table as FileMaker's own users see and edit it, without the Data API. Throws when there is no such layout. */
  table(layout: string): Table
  /** All requests since the last `forget`. */
  seen: readonly SeenRequest[]
  forget(): void
  readonly openSessions: number
  expireSessions(): void
  fail(fault: Fault, options?: FaultOptions): void
  /** No more faults. */
  mend(): void
  close: () => Promise<void>
}

/**
 * FileMaker's Data API on 127.0.0.1, as Claris documents it: sessions, records with their modification ids and locks, finds with
 * the find operators of FileMaker Pro, its errors. One database file, in memory. No portals, containers, scripts or globals.
 */
export async function startFileMaker(options: EmulatorOptions): Promise<FileMakerEmulator> {
  const { database = 'Waybill', username = 'data_store', password = 'data_store', port = 0 } = options
  const { maxSessions = 500, now = Date.now } = options
  const sessions = createSessions({ username, password }, maxSessions, now)
  const kept =
    options.file === undefined
      ? undefined
      : openKeptFile(options.file, () =>
          Object.fromEntries([...layouts].map(([name, table]) => [name, table.contents()])),
        )
  const layouts: ReadonlyMap<string, Table> = new Map(
    Object.entries(options.layouts).map(([name, fields]) => [
      name,
      createTable({
        fields,
        today: () => new Date(now()),
        kept: kept?.contentsOf(name),
        changed: () => kept?.changed(),
      }),
    ]),
  )
  const file = { name: database, sessions, layouts }
  const faults = createFaults()
  const seen: SeenRequest[] = []

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readText(request)
    const { method = '', url = '', headers } = request
    seen.push({ method, url, headers, body })
    const fault = faults.take(`${method} ${url}`)
    if (fault?.kind === 'drop' && fault.done !== true) return void request.socket.destroy()
    if (fault?.kind === 'pause') await fault.before()
    if (fault?.kind === 'garbage') {
      response.writeHead(fault.status ?? 200, { 'Content-Type': 'text/html' })
      return void response.end(fault.body ?? '<html><body>Web server</body></html>')
    }
    const made = answerOrError(() => {
      if (fault?.kind === 'error') throw new FileMakerError(fault.code, fault.status)
      return answer(file, request, body, { findAll: fault?.kind === 'find-all' })
    })
    if (fault?.kind === 'drop') return void request.socket.destroy()
    if (fault?.kind === 'hang') return
    response.writeHead(made.status, { 'Content-Type': 'application/json; charset=utf-8', ...made.headers })
    response.end(made.body)
  }

  const server = createServer((request, response) => {
    // What cannot be read to its end has nobody waiting for an answer.
    handle(request, response).catch(() => request.socket.destroy())
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')

  return {
    ...{ url: `http://127.0.0.1:${String(portOf(server))}`, database, username, password, seen },
    table(layout) {
      const table = layouts.get(layout)
      if (!table) throw new Error(`There is no layout ${layout}.`)
      return table
    },
    forget() {
      seen.length = 0
    },
    get openSessions() {
      return sessions.open
    },
    expireSessions() {
      sessions.expireAll()
    },
    fail: faults.add,
    mend: faults.clear,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      kept?.close()
    },
  }
}

function answerOrError(work: () => Answer): Answer {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof FileMakerError)) throw error
    return { status: error.status, body: envelope({}, error.code) }
  }
}
