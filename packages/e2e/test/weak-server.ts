import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import type { NextFunction, Request, Response } from 'express'
import type { Hole } from './weak-holes.ts'
import { GOOD_KEY, goodToken, JWK, Refused, subjectOf } from './weak-tokens.ts'

type Asked = Request & { subject?: string }

/** The credential of the request, read as `hole` would. */
async function authenticate(req: Request, hole: Hole | undefined): Promise<string | undefined> {
  const count = (name: string): number =>
    req.rawHeaders.filter((text, at) => at % 2 === 0 && text.toLowerCase() === name).length
  const header = req.headers.authorization
  const key = req.headers['x-api-key']
  if (hole !== 'first-of-two-headers' && count('authorization') > 1) throw new Refused('two')
  if (hole !== 'key-beside-token' && header !== undefined && key !== undefined) throw new Refused('two')
  if (count('host') !== 1 && hole !== 'lenient-parser') throw new Refused('host')
  if (hole === 'default-api-key' && key === 'changeme') return 'admin'
  if (hole === 'user-id-header' && header === undefined && req.headers['x-user-id'])
    return String(req.headers['x-user-id'])
  if (hole === 'empty-is-fine' && /^Bearer\s*(?:null|undefined)?$/.test(header ?? '-')) return 'nobody'
  if (hole === 'token-in-query' && typeof req.query.token === 'string')
    return subjectOf(req.query.token, hole)
  const cookie = /token=([^;]+)/.exec(req.headers.cookie ?? '')?.[1]
  if (hole === 'token-in-cookie' && cookie !== undefined) return subjectOf(cookie, hole)
  if (header === undefined) {
    const query = hole === 'api-key-in-query' ? req.query.api_key : undefined
    const same =
      hole === 'api-key-any-case' ? String(key).toLowerCase() === GOOD_KEY.toLowerCase() : key === GOOD_KEY
    if (same || query === GOOD_KEY) return 'ann'
    if (key !== undefined) throw new Refused('key')
    return undefined
  }
  if (hole === 'any-scheme') return subjectOf(header.split(' ').at(-1) ?? '', hole)
  if (hole === 'second-word') return subjectOf(header.split(/[\s,;]+/)[1] ?? '', hole)
  if (hole === 'lenient-base64') return subjectOf(header.slice('Bearer '.length), hole)
  const token = /^Bearer +([^\s,]+)$/i.exec(header)?.[1]
  if (token === undefined) throw new Refused('scheme')
  return subjectOf(token, hole)
}

/** Whether `hole` lets this request by without asking. */
function isExempt(req: Request, hole: Hole | undefined): boolean {
  if (req.path === '/livez' || req.path.startsWith('/auth/') || req.path === '/openapi.json') return true
  if (req.path === '/.well-known/jwks.json') return true
  if (hole === 'exempt-anywhere') return req.originalUrl.includes('/livez')
  if (hole === 'guard-by-exact-path') return req.path !== '/v1/things'
  if (hole === 'decodes-twice') return req.path.includes('%')
  if (hole === 'localhost-trusted') return req.headers['x-forwarded-for'] === '127.0.0.1'
  if (hole === 'method-override') return req.headers['x-http-method-override'] === 'OPTIONS'
  if (hole === 'head-unguarded') return req.method === 'HEAD'
  if (hole === 'absolute-form-unguarded') return req.headers.host === 'localhost'
  if (hole === 'rewrite-after-guard') return req.path === '/.attack-made-up-path'
  return hole === 'debug-pages' && req.path === '/debug'
}

/** A small service with users, tokens and one guarded route; with `hole` as its one mistake, or none. */
export async function startWeakServer(hole?: Hole): Promise<{ url: string; close(): Promise<void> }> {
  const app = express()
  if (hole !== 'powered-by') app.disable('x-powered-by')
  app.disable('etag')
  app.use((req, res, next) => {
    const id = String(req.headers['x-request-id'] ?? '')
    res.set(
      'X-Request-ID',
      /^[\w.-]{1,64}$/.test(id) || (hole === 'hostile-request-id' && /^[ -~]+$/.test(id)) ? id : randomUUID(),
    )
    res.set('Cache-Control', hole === 'public-cache' ? 'public, max-age=60' : 'no-store')
    if (hole === 'connection-crash' && /authorization/i.test(req.headers.connection ?? ''))
      throw new Error('what now')
    if (
      hole === 'crashes-on-size' &&
      (req.url.length > 50_000 || (req.headers.authorization ?? '').length > 9_000)
    )
      throw new Error('too much')
    redirects(req, res, next, hole)
  })
  app.use(async (req: Asked, res, next) => {
    if (!isExempt(req, hole)) {
      const subject = await authenticate(req, hole)
      if (subject === undefined) {
        challenge(res, hole, undefined)
        return
      }
      req.subject = hole === 'user-id-header-wins' ? String(req.headers['x-user-id'] ?? subject) : subject
    }
    if (hole === 'rewrite-after-guard') req.url = String(req.headers['x-original-url'] ?? req.url)
    if (hole === 'decodes-twice') req.url = decodeURIComponent(req.url)
    next()
  })
  routes(app, hole)
  app.use((_req, res) => void res.status(404).json({ error: 'not found' }))
  app.use((error: Error, req: Request, res: Response, _next: NextFunction) => failed(error, req, res, hole))

  const lenient = hole === 'lenient-parser' ? { insecureHTTPParser: true, requireHostHeader: false } : {}
  const server = createServer(
    { ...lenient, maxHeaderSize: hole === 'crashes-on-size' ? 1_000_000 : 16_384 },
    app,
  )
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      }),
  }
}

function redirects(req: Request, res: Response, next: NextFunction, hole: Hole | undefined): void {
  const to = (place: unknown): void => res.redirect(302, String(place))
  const { host, 'x-forwarded-host': forwarded = host } = req.headers
  if (hole === 'redirect-to-host' && /.\/$/.test(req.path))
    to(`http://${String(forwarded)}${req.path.slice(0, -1)}`)
  else if (hole === 'redirect-to-path' && req.path.startsWith('//')) to(req.path)
  else if (hole === 'redirect-to-parameter' && req.query.next) to(req.query.next)
  else next()
}

function challenge(res: Response, hole: Hole | undefined, error: string | undefined): void {
  const told = error !== undefined || hole === 'error-in-challenge' ? ', error="invalid_token"' : ''
  if (hole !== 'no-challenge') res.set('WWW-Authenticate', `Bearer realm="weak"${told}`)
  if (hole === 'html-errors') res.status(401).type('html').send('<h1>401</h1>')
  else res.status(hole === 'bad-token-is-403' && error ? 403 : 401).json({ error: 'unauthorized' })
}

function failed(
  error: Error & { status?: number },
  req: Request,
  res: Response,
  hole: Hole | undefined,
): void {
  if (hole === 'stack-traces') return void res.status(500).send(error.stack)
  if (hole === 'repeats-input')
    return void res.status(400).json({ error: `cannot read ${String(req.headers.authorization)}` })
  if (error instanceof Refused) challenge(res, hole, error.message)
  else res.status(error.status ?? 500).json({ error: 'failed' })
}

function routes(app: express.Express, hole: Hole | undefined): void {
  const accounts = new Map<string, string>()
  const tries = new Map<string, number>()
  const guarded = { security: [{ bearer: [] }] }
  app.get('/livez', (_req, res) => void res.json({ ok: true }))
  app.get('/.well-known/jwks.json', (_req, res) => void res.json({ keys: [JWK] }))
  app.get('/openapi.json', (_req, res) => {
    const paths = {
      '/v1/things': { get: guarded },
      '/auth/login': { post: {} },
      '/auth/register': { post: {} },
    }
    res.json({ openapi: '3.1.0', paths })
  })
  if (hole === 'debug-pages') app.get('/debug', (_req, res) => void res.json(process.versions))
  // Express itself takes /V1/things and /v1/things/ for the same; sound guards do not depend on it.
  app.get('/v1/things', (req: Asked, res) => void res.json({ user_id: req.subject ?? 'nobody', things: [] }))
  app.use(express.json())
  app.post('/auth/register', (req, res) => {
    const { username, password, email, ...more } = (req.body ?? {}) as Record<string, string>
    if (Object.keys(more).length > 0 && hole !== 'role-from-body')
      return void res.status(400).json({ error: 'unknown member' })
    accounts.set(String(username), String(password))
    res.status(201).json({ username, email, role: 'user', ...more })
  })
  app.post('/auth/login', (req, res) => {
    const { username, password } = (req.body ?? {}) as Record<string, unknown>
    if (hole === 'conditions-from-body' && typeof password === 'object' && password !== null)
      return void res.json({ ok: true })
    if (typeof username !== 'string' || typeof password !== 'string')
      return void res.status(400).json({ error: 'form' })
    const wrong = (tries.get(username) ?? 0) + 1
    tries.set(username, wrong)
    if (wrong > 10 && hole !== 'no-limit')
      return void res.status(429).set('Retry-After', '60').json({ error: 'wait' })
    if (hole === 'says-who-exists' && !accounts.has(username))
      return void res.status(404).json({ error: 'no such user' })
    if (accounts.get(username) !== password)
      return void res.status(401).set('WWW-Authenticate', 'Bearer').json({ error: 'wrong' })
    res.json({ access_token: goodToken(username) })
  })
}
