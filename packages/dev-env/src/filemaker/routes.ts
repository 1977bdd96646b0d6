import type { IncomingMessage } from 'node:http'
import { envelope, FileMakerError } from './errors.ts'
import { fieldDataOf, findRequestsOf, modIdOf, pageOf, pageOfQuery, parseBody } from './request.ts'
import type { PageRequest } from './request.ts'
import type { Sessions } from './sessions.ts'
import type { RecordView, Table } from './table.ts'

export interface DatabaseFile {
  name: string
  sessions: Sessions
  layouts: ReadonlyMap<string, Table>
}

export interface Answer {
  status: number
  headers?: Record<string, string>
  body: string
}

const VERSIONS = new Set(['v1', 'v2', 'vLatest'])

/**
 * What the Data API answers. `findAll` lets finds ignore their criteria.
 * @throws FileMakerError
 */
export function answer(
  file: DatabaseFile,
  request: IncomingMessage,
  text: string,
  { findAll = false } = {},
): Answer {
  const { method = '', headers } = request
  const [path = '', query = ''] = (request.url ?? '').split('?')
  const [fmi, data, version = '', ...rest] = segmentsOf(path)
  if (fmi !== 'fmi' || data !== 'data' || !VERSIONS.has(version)) throw unknownUrl()
  const [noun, database, kind, name, ...inner] = rest
  if (noun === 'productInfo' && rest.length === 1) {
    return allow(method, { GET: () => ok({ productInfo: { name: 'FileMaker Data API Engine' } }) })
  }
  if (noun !== 'databases') throw unknownUrl()
  if (database === undefined) {
    file.sessions.authenticate(headers.authorization)
    return allow(method, { GET: () => ok({ databases: [{ name: file.name }] }) })
  }
  if (database !== file.name) throw new FileMakerError('802')
  if (kind === 'sessions') {
    const token = name
    if (inner.length > 0) throw unknownUrl()
    return token === undefined
      ? allow(method, { POST: () => login(file, request, text) })
      : allow(method, { DELETE: () => (file.sessions.logout(token), ok({})) })
  }
  if (kind !== 'layouts') throw unknownUrl()
  file.sessions.use(headers.authorization)
  if (name === undefined) {
    const layouts = [...file.layouts.keys()].map((layout) => ({ name: layout }))
    return allow(method, { GET: () => ok({ layouts }) })
  }
  const table = file.layouts.get(name)
  if (!table) throw new FileMakerError('105')
  const body = () => parseBody(request, text)
  const [what, recordId, ...more] = inner
  if (more.length > 0) throw unknownUrl()
  const page = (records: RecordView[], wanted: PageRequest) => ok(pageAnswer(file, name, records, wanted))
  if (what === undefined) return allow(method, { GET: () => ok({ fieldMetaData: metaDataOf(table) }) })
  if (what === '_find' && recordId === undefined) {
    return allow(method, {
      POST() {
        const given = body()
        const wanted = pageOf(given)
        const requests = findRequestsOf(given)
        const found = findAll ? table.all(wanted.sort) : table.find(requests, wanted.sort)
        if (found.length === 0) throw new FileMakerError('401')
        return page(found, wanted)
      },
    })
  }
  if (what !== 'records') throw unknownUrl()
  if (recordId === undefined) {
    return allow(method, {
      GET() {
        const wanted = pageOfQuery(new URLSearchParams(query))
        return page(table.all(wanted.sort), wanted)
      },
      POST() {
        const made = table.create(fieldDataOf(body()))
        return ok({ recordId: made.recordId, modId: made.modId })
      },
    })
  }
  return allow(method, {
    GET: () => page([table.get(recordId)], { offset: 1, limit: 1, sort: [] }),
    PATCH() {
      const given = body()
      return ok({ modId: table.edit(recordId, fieldDataOf(given), modIdOf(given)).modId })
    },
    DELETE: () => (table.remove(recordId), ok({})),
  })
}

/** By the slashes of the path as it came: one that is encoded separates nothing. */
function segmentsOf(path: string): string[] {
  try {
    return path.split('/').slice(1).map(decodeURIComponent)
  } catch {
    throw unknownUrl()
  }
}

function login({ sessions }: DatabaseFile, request: IncomingMessage, text: string): Answer {
  // Other data sources may be named in the body; it is JSON all the same.
  parseBody(request, text === '' ? '{}' : text)
  const token = sessions.login(request.headers.authorization)
  return { ...ok({ token }), headers: { 'X-FM-Data-Access-Token': token } }
}

function pageAnswer(file: DatabaseFile, layout: string, records: RecordView[], page: PageRequest): object {
  const data = records.slice(page.offset - 1, page.offset - 1 + page.limit)
  if (data.length === 0 && records.length > 0) throw new FileMakerError('101')
  return {
    dataInfo: {
      database: file.name,
      layout,
      table: layout,
      totalRecordCount: file.layouts.get(layout)?.size ?? 0,
      foundCount: records.length,
      returnedCount: data.length,
    },
    data: data.map(({ fieldData, recordId, modId }) => ({
      ...{ fieldData, portalData: {}, recordId, modId },
      portalDataInfo: [],
    })),
  }
}

function metaDataOf(table: Table): object[] {
  return table.fields.map(({ name, type, required = false }) => ({
    ...{ name, type: 'normal', displayType: 'editText', result: type, global: false },
    ...{ autoEnter: false, notEmpty: required },
  }))
}

function ok(response: object): Answer {
  return { status: 200, body: envelope(response) }
}

function allow(method: string, handlers: Record<string, () => Answer>): Answer {
  const handler = Object.hasOwn(handlers, method) ? handlers[method] : undefined
  if (!handler) throw new FileMakerError('960', 405)
  return handler()
}

function unknownUrl(): FileMakerError {
  return new FileMakerError('1630', 404)
}
