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

/**
 * What happens to a request instead of an answer: a status, a cut connection, or nothing at all; `lost` is a connection
 * that is cut when the work is done.
 */
export type Fault = number | 'cut' | 'hang' | 'lost'

type Answer = [status: number, body?: unknown]

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
    else if (typeof fault === 'number') send(res, fault, { code: 'whatever', detail: 'out of order' })
    else {
      const body: unknown = request.method === 'POST' ? JSON.parse(await text(req)) : undefined
      const answered = answer({ ...request, body }, request.userId, state.records)
      if (fault === 'lost') res.destroy()
      else send(res, ...answered)
    }
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

function answer(
  request: { method: string; path: string; body: unknown },
  owner: string,
  records: StoredRecord[],
): Answer {
  const [, , backend = '', , collection = '', action, id] = request.path.split('/').map(decodeURIComponent)
  const { method, body } = request
  const mine = records.filter(
    (record) => record.owner === owner && record.backend === backend && record.collection === collection,
  )
  const create = (given: { id?: string | undefined; data: Record<string, unknown> }[]) => {
    const created = given.map(({ id = String(records.length), data }) => ({
      backend,
      collection,
      owner,
      id,
      data,
    }))
    records.push(...created)
    return created.map(asRecord)
  }
  const one = mine.find((record) => record.id === id)
  if (action === 'search') {
    const { vector = [], limit } = dataStore.searchRecords.body!.parse(body)
    const items = mine
      .map((record) => ({ ...asRecord(record), score: cosine(vector, record.data.vector as number[]) }))
      .sort((left, right) => right.score - left.score)
    return [200, dataStore.searchRecords.output!.parse({ items: items.slice(0, limit) })]
  }
  if (method === 'POST' && id === 'bulk') {
    const items = create(dataStore.createRecords.body!.parse(body).records)
    return [201, dataStore.createRecords.output!.parse({ items })]
  }
  if (method === 'POST') return [201, create([dataStore.createRecord.body!.parse(body)])[0]]
  if (!one) return [404, { code: 'not_found', detail: 'You have no such record.' }]
  if (method !== 'DELETE') return [200, asRecord(one)]
  records.splice(records.indexOf(one), 1)
  return [204]
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

function send(res: ServerResponse, status: number, body?: unknown): void {
  if (body === undefined) res.writeHead(status).end()
  else res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}
