import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createVerifier } from '@waybill/auth'
import type { AccessTokenClaims } from '@waybill/auth'
import { authService, substrateApi } from '@waybill/contracts'
import type { Endpoint } from '@waybill/contracts'
import type { TestIssuer } from '@waybill/dev-env/testing'

const { createBasket, deleteBasket, getBasket, listBaskets } = substrateApi
const ISSUER = 'https://waybill.local'

/** A server on a real socket that can be taken away and brought back at the same place. */
export interface StandIn {
  url: string
  stop(): Promise<void>
  resume(): Promise<void>
}

async function standIn(
  answer: (req: IncomingMessage, res: ServerResponse) => Promise<void>,
): Promise<StandIn> {
  const listener = (req: IncomingMessage, res: ServerResponse) => {
    answer(req, res).catch((error: unknown) => {
      send(res, 500, { code: 'internal', detail: String(error) })
    })
  }
  let server: Server | undefined
  let port = 0
  const resume = async () => {
    const listening = createServer(listener)
    server = listening
    await new Promise<void>((resolve) => listening.listen(port, '127.0.0.1', resolve))
    port = (listening.address() as AddressInfo).port
  }
  await resume()
  return {
    url: `http://127.0.0.1:${port}`,
    resume,
    async stop() {
      const closing = server
      server = undefined
      if (!closing) return
      await new Promise((resolve) => {
        closing.close(resolve)
        closing.closeAllConnections()
      })
    },
  }
}

function send(res: ServerResponse, status: number, body?: unknown): void {
  const type = status < 400 ? 'application/json' : 'application/problem+json'
  res.writeHead(status, { 'Content-Type': type }).end(body === undefined ? undefined : JSON.stringify(body))
}

/** What came in at a stand-in for substrate-api. */
export interface SubstrateCall {
  endpoint: Endpoint
  headers: IncomingHttpHeaders
  /** Of the token; of one with a static secret, what its message says instead. */
  claims: Pick<AccessTokenClaims, 'sub' | 'act' | 'workspace_id'>
  body: unknown
  query: Record<string, string>
}

/** `refuse` answers without doing anything, `lose` does the work and then breaks the connection, `hang` never answers. */
export type Behaviour =
  { kind: 'work' } | { kind: 'refuse'; status: number } | { kind: 'lose' } | { kind: 'hang' }

export interface SubstrateStandIn extends StandIn {
  calls: SubstrateCall[]
  /** The baskets by workspace, then id. */
  baskets: Map<string, Map<string, substrateApi.Basket>>
  /** How the next calls are met; by endpoint where that is given. */
  behave(behaviour: Behaviour, endpoint?: Endpoint): void
  /** Called before each call is worked on. */
  before: (call: SubstrateCall) => Promise<void>
  reset(): void
}

const ENDPOINTS: Endpoint[] = [createBasket, listBaskets, getBasket, deleteBasket]

/**
 * substrate-api as its contract has it, in memory; tokens are really verified. With `secret` it takes that and no token,
 * and is told the workspace in the message.
 */
export async function startSubstrate(issuer: TestIssuer, secret?: string): Promise<SubstrateStandIn> {
  const verifier = createVerifier({
    keys: issuer.keys,
    issuer: ISSUER,
    audiences: ['substrate-api'],
    skewSeconds: 30,
    maxLifetimeSeconds: 3600,
    cacheSize: 0,
  })
  let behaviours = new Map<Endpoint | undefined, Behaviour>()

  const server = await standIn(async (req, res) => {
    const { pathname, searchParams } = new URL(req.url ?? '', 'http://stand-in')
    const endpoint = ENDPOINTS.find(
      ({ method, path }) => method === req.method && path.split('/').length === pathname.split('/').length,
    )
    if (!endpoint) {
      send(res, 404, { code: 'not_found', detail: 'no such route' })
      return
    }
    const credential = req.headers.authorization?.replace('Bearer ', '') ?? ''
    const sent = await text(req)
    const body = sent === '' ? undefined : (JSON.parse(sent) as { workspace_id?: string })
    const query = Object.fromEntries(searchParams)
    if (secret !== undefined && !isBySecret(req.headers, credential)) {
      send(res, 401, { code: 'invalid_token', detail: 'The credential is not valid.' })
      return
    }
    const workspace_id = body?.workspace_id ?? query.workspace_id
    const claims =
      secret === undefined ? await verifier.verify(credential) : { sub: 'work-platform', workspace_id }
    const call = { endpoint, headers: req.headers, claims, body, query }
    self.calls.push(call)
    await self.before(call)
    const behaviour = behaviours.get(endpoint) ?? behaviours.get(undefined) ?? { kind: 'work' }
    if (behaviour.kind === 'hang') return
    if (behaviour.kind === 'refuse') {
      send(res, behaviour.status, { code: 'x', detail: 'Refused.' })
      return
    }
    const { status, answer } = work(call, pathname.split('/').at(-1) ?? '', query)
    if (behaviour.kind === 'lose') res.destroy()
    else send(res, status, answer)
  })

  /** As the real one judges it: no user may be named beside the secret of a service. */
  const isBySecret = (headers: IncomingHttpHeaders, credential: string): boolean =>
    credential === secret && headers['x-service-name'] === 'work-platform' && headers['x-user-id'] === ''

  function work({ endpoint, claims, body }: SubstrateCall, id: string, query: unknown) {
    const { workspace_id: workspaceId } = claims
    if (workspaceId === undefined) return { status: 403, answer: { code: 'workspace_required' } }
    const baskets = self.baskets.get(workspaceId) ?? new Map<string, substrateApi.Basket>()
    self.baskets.set(workspaceId, baskets)
    const existing = baskets.get(id)
    switch (endpoint) {
      case createBasket: {
        const { id = randomUUID(), name, metadata } = createBasket.body!.parse(body)
        const basket = baskets.get(id) ?? {
          id,
          workspace_id: workspaceId,
          name,
          status: 'active',
          metadata,
          created_by: `user:${claims.sub}`,
          created_at: new Date().toISOString(),
        }
        baskets.set(id, basket)
        return { status: 201, answer: createBasket.output!.parse(basket) }
      }
      case listBaskets: {
        const { ids = [] } = listBaskets.query!.parse(query)
        const items = ids.flatMap((wanted) => baskets.get(wanted) ?? [])
        return { status: 200, answer: { items, next_cursor: null } }
      }
      case deleteBasket:
        return { status: baskets.delete(id) ? 204 : 404, answer: undefined }
      default:
        return existing ? { status: 200, answer: existing } : { status: 404, answer: { code: 'not_found' } }
    }
  }

  const self: SubstrateStandIn = {
    ...server,
    calls: [],
    baskets: new Map(),
    before: () => Promise.resolve(),
    behave(behaviour, endpoint) {
      behaviours.set(endpoint, behaviour)
    },
    reset() {
      behaviours = new Map()
      self.calls = []
      self.before = () => Promise.resolve()
    },
  }
  return self
}

export interface TokenStandIn extends StandIn {
  /** The forms that were sent, with the name that Basic authentication gave. */
  requests: Record<string, string>[]
  /** Whether a service gets a token in its own name that names a workspace. */
  letsServicesNameWorkspaces: boolean
  /** What every request is refused with (RFC 6749 section 5.2), while set. */
  refusal: { status: number; error: string } | undefined
}

/** auth-service's token endpoint: on-behalf-of tokens and service tokens, by the issuer that the tests hold. */
export async function startTokenEndpoint(issuer: TestIssuer): Promise<TokenStandIn> {
  const server = await standIn(async (req, res) => {
    const form = Object.fromEntries(new URLSearchParams(await text(req)))
    const basic = Buffer.from(req.headers.authorization?.replace('Basic ', '') ?? '', 'base64').toString()
    const actor = basic.split(':')[0] ?? ''
    self.requests.push({ ...form, actor })
    if (self.refusal) {
      send(res, self.refusal.status, { error: self.refusal.error })
      return
    }
    const { audience = '', workspace_id: workspaceId, subject_token: subjectToken } = form
    const options = { audience, scope: '', ...(workspaceId !== undefined && { workspaceId }) }
    if (subjectToken === undefined && workspaceId !== undefined && !self.letsServicesNameWorkspaces) {
      send(res, 400, { error: 'invalid_request' })
      return
    }
    const token =
      subjectToken === undefined
        ? await issuer.serviceToken(actor, options)
        : await issuer.userToken(subjectOf(subjectToken), { ...options, actors: [actor] })
    send(
      res,
      200,
      authService.tokenResponse.parse({
        access_token: token,
        token_type: 'Bearer',
        expires_in: 300,
        scope: '',
      }),
    )
  })
  const self: TokenStandIn = {
    ...server,
    requests: [],
    letsServicesNameWorkspaces: true,
    refusal: undefined,
  }
  return self
}

function subjectOf(token: string): string {
  const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    sub: string
  }
  return payload.sub
}
