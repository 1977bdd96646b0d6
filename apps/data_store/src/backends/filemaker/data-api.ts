import type { ExternalClient } from '@waybill/http-client'
import { outliveRequest, Problem } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import type { z } from 'zod'
import { nothingDone } from '../../refusal.ts'
import { createGate } from '../gate.ts'
import { created, edited, found, loggedIn, nothing, readAnswer } from './answer.ts'
import type { FileMakerRecord } from './answer.ts'
import type { FileMakerSettings } from './config.ts'
import { CODE, FileMakerFault, hasCode } from './fault.ts'
import { createSession } from './session.ts'

export type FieldData = Record<string, string | number>

/** One request of a find: criteria by field, all of which hold. */
export type FindRequest = Record<string, string>

export interface Page {
  /** From 1. */
  offset: number
  limit: number
}

/** FileMaker's Data API, as far as records need it. Each function throws FileMakerFault, DownstreamError, or Problem. */
export interface DataApi {
  /** What any of `requests` finds, in the order of creation; empty where the page is past the end. */
  find(layout: string, requests: readonly FindRequest[], page: Page): Promise<FileMakerRecord[]>
  /** Undefined when there is no such record. */
  get(layout: string, recordId: string): Promise<FileMakerRecord | undefined>
  create(layout: string, fieldData: FieldData): Promise<{ recordId: string; modId: string }>
  /** The new modification id; throws FileMakerFault 306 when it was not `modId` before. */
  edit(layout: string, recordId: string, fieldData: FieldData, modId: string): Promise<string>
  remove(layout: string, recordId: string): Promise<void>
  close(): Promise<void>
}

interface DataApiOptions {
  settings: FileMakerSettings
  client: ExternalClient
  log: Logger
}

/** How long a shutdown waits for FileMaker to take note. */
const LOGOUT_MS = 2_000

/** A client of one FileMaker file, in one session of the service's own account: FileMaker learns of no user. */
export function createDataApi({ settings, client, log }: DataApiOptions): DataApi {
  const { url, version, database, username, password, timeoutMs } = settings
  const gate = createGate(settings.maxConcurrent)
  const base = `${url}/fmi/data/${version}/databases/${segment(database)}`

  async function send<S extends z.ZodType>(
    schema: S,
    request: { method: string; path: string; authorization?: string; body?: object; timeoutMs?: number },
  ): Promise<z.output<S>> {
    const { method, path, authorization, body } = request
    const { body: answer } = await client.call({
      method,
      url: base + path,
      headers: {
        ...(authorization === undefined ? {} : { Authorization: authorization }),
        ...(body && { 'Content-Type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
      timeoutMs: request.timeoutMs ?? timeoutMs,
    })
    return readAnswer(answer, schema)
  }

  const session = createSession({
    login: () =>
      // It is for all who wait, so that it does not end with the request of the first of them.
      outliveRequest(timeoutMs, async () => {
        const basic = Buffer.from(`${username}:${password.reveal()}`).toString('base64')
        const { token } = await send(loggedIn, {
          ...{ method: 'POST', path: '/sessions', authorization: `Basic ${basic}`, body: {} },
        })
        return token
      }).catch((error: unknown) => {
        // Without a session nothing is asked of the records.
        throw nothingDone(error)
      }),
    logout: async (token) => {
      const path = `/sessions/${encodeURIComponent(token)}`
      await send(nothing, { method: 'DELETE', path, timeoutMs: LOGOUT_MS })
    },
  })

  async function call<S extends z.ZodType>(
    schema: S,
    request: { method: string; layout: string; path: string; body?: object },
  ): Promise<z.output<S>> {
    const { method, layout, body } = request
    const path = `/layouts/${segment(layout)}${request.path}`
    try {
      return await gate(() =>
        session.run((token) =>
          send(schema, { method, path, authorization: `Bearer ${token}`, ...(body && { body }) }),
        ),
      )
    } catch (error) {
      if (error instanceof FileMakerFault && !isOrdinary(error)) {
        log.error({ filemaker_code: error.fileMakerCode, layout, method }, 'FileMaker refused a call')
      }
      throw error
    }
  }

  const records = async (request: { method: string; layout: string; path: string; body?: object }) => {
    try {
      return (await call(found, request)).data
    } catch (error) {
      // No match; and a page that begins past the end.
      if (hasCode(error, CODE.noMatch, CODE.recordMissing)) return []
      throw error
    }
  }

  return {
    find: (layout, query, page) =>
      records({ method: 'POST', layout, path: '/_find', body: { query, ...page } }),
    async get(layout, recordId) {
      const [record] = await records({ method: 'GET', layout, path: `/records/${segment(recordId)}` })
      return record
    },
    create: (layout, fieldData) =>
      call(created, { method: 'POST', layout, path: '/records', body: { fieldData } }),
    async edit(layout, recordId, fieldData, modId) {
      const path = `/records/${segment(recordId)}`
      return (await call(edited, { method: 'PATCH', layout, path, body: { fieldData, modId } })).modId
    },
    async remove(layout, recordId) {
      await call(nothing, { method: 'DELETE', layout, path: `/records/${segment(recordId)}` })
    },
    async close() {
      await session.close().catch((error: unknown) => {
        log.warn({ err: error }, 'the session of FileMaker could not be closed; it ends by itself')
      })
    },
  }
}

/** What happens in a sound installation, and needs nobody to look at it. */
function isOrdinary(error: FileMakerFault): boolean {
  const { recordMissing, inUse, changed, noMatch } = CODE
  return error.code === 'unprocessable' || hasCode(error, recordMissing, inUse, changed, noMatch)
}

/** One segment of a path. Dots cannot be encoded: `..` would lead out of its folder. */
function segment(name: string): string {
  if (name === '' || name === '.' || name === '..')
    throw new Problem('internal', 'A name in FileMaker is no name.')
  return encodeURIComponent(name)
}
