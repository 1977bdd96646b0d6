import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createVerifier } from '@waybill/auth'
import type { Verifier } from '@waybill/auth'
import { authService, dataStore } from '@waybill/contracts'
import type { TestIssuer } from '@waybill/dev-env/testing'
import { cosine } from '../src/local/embedding.ts'

export interface StandIn {
  url: string
  close(): Promise<void>
}

/** auth-service as far as llm-proxy needs it: `POST /oauth/token`, RFC 8693. */
export interface AuthStandIn extends StandIn {
  /** The exchanges asked for: by whom, for which audience, on whose behalf. */
  exchanges: { client: string; audience: string | null; subject: string }[]
}

export async function startAuthService(issuer: TestIssuer): Promise<AuthStandIn> {
  const exchanges: AuthStandIn['exchanges'] = []
  const verifier = verifierFor('llm-proxy', issuer)
  const standIn = await listen(async (req, res) => {
    const form = new URLSearchParams(await text(req))
    const [client = ''] = Buffer.from(req.headers.authorization?.slice('Basic '.length) ?? '', 'base64')
      .toString()
      .split(':')
    const { sub, scope } = await verifier.verify(form.get('subject_token') ?? '')
    const audience = form.get('audience')
    exchanges.push({ client, audience, subject: sub })
    const token = await issuer.userToken(sub, {
      audience: audience ?? '',
      actors: [client, 'gateway'],
      scope,
    })
    const body = { access_token: token, token_type: 'Bearer', expires_in: 300, scope }
    send(res, req.url === authService.TOKEN_PATH ? 200 : 404, body)
  })
  return { ...standIn, exchanges }
}

export interface StoredRecord {
  backend: string
  collection: string
  owner: string
  id: string
  data: Record<string, unknown>
}

export interface SeenRequest {
  method: string
  path: string
  headers: IncomingHttpHeaders
  /** From the verified token. */
  userId: string
  actors: readonly string[]
}

/** What happens to a request instead of an answer: a status, a cut connection, or nothing at all. */
export type Fault = number | 'cut' | 'hang'

/** data_store as far as llm-proxy needs it: it speaks the contract, verifies tokens and keeps users apart. */
export interface DataStoreStandIn extends StandIn {
  records: StoredRecord[]
  seen: SeenRequest[]
  /** Decides what goes wrong with a request; `nth` counts the requests of its method from 1. */
  fault: ((request: SeenRequest, nth: number) => Fault | undefined) | undefined
}

export async function startDataStore(issuer: TestIssuer): Promise<DataStoreStandIn> {
  const verifier = verifierFor('data_store', issuer)
  const state: Pick<DataStoreStandIn, 'records' | 'seen' | 'fault'> = {
    records: [],
    seen: [],
    fault: undefined,
  }
  const standIn = await listen(async (req, res) => {
    const request = await identify(req, verifier)
    state.seen.push(request)
    const nth = state.seen.filter(({ method }) => method === request.method).length
    const fault = state.fault?.(request, nth)
    if (fault === 'hang') return
    if (fault === 'cut') res.destroy()
    else if (fault !== undefined) send(res, fault, { code: 'whatever', detail: 'out of order' })
    else await answer(req, res, request.userId, state.records)
  })
  return Object.assign(state, standIn)
}

function verifierFor(audience: string, { keys }: TestIssuer): Verifier {
  const policy = {
    issuer: 'https://waybill.local',
    audiences: [audience],
    skewSeconds: 0,
    maxLifetimeSeconds: 300,
  }
  return createVerifier({ ...policy, keys, cacheSize: 0 })
}

async function identify(req: IncomingMessage, verifier: Verifier): Promise<SeenRequest> {
  const claims = await verifier.verify((req.headers.authorization ?? '').replace('Bearer ', ''))
  const actors: string[] = []
  for (let actor = claims.act; actor; actor = actor.act) actors.push(actor.sub)
  return { method: req.method ?? '', path: req.url ?? '', headers: req.headers, userId: claims.sub, actors }
}

async function answer(req: IncomingMessage, res: ServerResponse, owner: string, records: StoredRecord[]) {
  const [, , backend = '', , collection = '', action, id] = (req.url ?? '').split('/').map(decodeURIComponent)
  const mine = records.filter(
    (record) => record.owner === owner && record.backend === backend && record.collection === collection,
  )
  const body: unknown = req.method === 'POST' ? JSON.parse(await text(req)) : undefined
  const one = mine.find((record) => record.id === id)
  if (action === 'search') {
    const { vector, limit } = dataStore.searchRecords.body!.parse(body)
    const items = mine
      .map((record) => ({ ...asRecord(record), score: cosine(vector, record.data.vector as number[]) }))
      .sort((left, right) => right.score - left.score)
    send(res, 200, dataStore.searchRecords.output!.parse({ items: items.slice(0, limit) }))
  } else if (req.method === 'POST' && id === 'bulk') {
    const given = dataStore.createRecords.body!.parse(body).records
    const created = given.map((one, at) => ({
      backend,
      collection,
      owner,
      id: one.id ?? String(records.length + at),
      data: one.data,
    }))
    const known = created.find((one) => mine.some((other) => other.id === one.id))
    if (known) return send(res, 409, { code: 'conflict', detail: `You have a record ${known.id} already.` })
    records.push(...created)
    send(res, 201, dataStore.createRecords.output!.parse({ items: created.map(asRecord) }))
  } else if (req.method === 'POST') {
    const created = dataStore.createRecord.body!.parse(body)
    const record = {
      backend,
      collection,
      owner,
      id: created.id ?? String(records.length),
      data: created.data,
    }
    records.push(record)
    send(res, 201, asRecord(record))
  } else if (!one) {
    send(res, 404, { code: 'not_found', detail: 'You have no such record.' })
  } else if (req.method === 'DELETE') {
    records.splice(records.indexOf(one), 1)
    res.writeHead(204).end()
  } else send(res, 200, asRecord(one))
}

function asRecord({ id, data, owner }: StoredRecord) {
  const { vector: _, ...rest } = data
  const at = '2026-11-01T00:00:00.000Z'
  return { id, data: rest, version: 1, owner, created_at: at, updated_at: at }
}

async function listen(handle: (req: IncomingMessage, res: ServerResponse) => Promise<void>) {
  const server: Server = createServer((req, res) => {
    handle(req, res).catch((error: unknown) => {
      send(res, 500, { code: 'internal', detail: String(error) })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      if (!server.listening) return
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function send(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}
