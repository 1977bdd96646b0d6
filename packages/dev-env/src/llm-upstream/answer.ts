import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { askedOf, objectOf } from './asked.ts'
import type { Body } from './asked.ts'
import { faultOf, faultsOf } from './faults.ts'
import type { Fault } from './faults.ts'
import { generate } from './generate.ts'
import { quotaExceeded } from './openai/errors.ts'
import type { Reply } from './reply.ts'
import type { Vendor } from './vendor.ts'
import { vendorOf } from './vendors.ts'

/** A request as it came in, whole. */
export interface Incoming {
  method: string
  url: string
  headers: IncomingHttpHeaders
  body: Buffer
}

export interface Answer {
  vendor: Vendor
  path: string
  reply: Reply
  /** Those that the model's name asked for, and those that were ordered. */
  faults: readonly Fault[]
  model: string
  /** The last four characters of the key. */
  key: string
}

/** How long a client is asked to wait before it tries again. */
const RETRY: Readonly<Record<string, string>> = { 'retry-after': '1', 'retry-after-ms': '50' }
const WITH_RETRY = [429, 503, 529]

/** What the vendor answers, and what shall go wrong with that. */
export function answerTo(
  incoming: Incoming,
  options: { accepts: (key: string) => boolean; ordered: readonly Fault[] },
): Answer {
  const { method, headers, body } = incoming
  const { pathname: path, searchParams: query } = new URL(incoming.url, 'http://mock')
  const vendor = vendorOf(path, headers)
  const credential = vendor.credential(headers, query)
  const key = credential?.slice(-4) ?? ''
  const parsed = parse(headers, body)
  const asked = askedOf(parsed ?? {}, vendor.inPath(decodeURIComponent(path)))
  const faults = [...options.ordered, ...faultsOf(asked.model)]
  const made = generate(asked, key, faults)
  const requestId = `req_${createHash('sha256').update(`${path}\n${made.id}`).digest('hex').slice(0, 24)}`

  const reply = (): Reply => {
    if (credential === undefined || !options.accepts(credential)) {
      return vendor.unauthorized(credential, requestId)
    }
    const error = faultOf(faults, 'error')
    if (error) return failure(error, vendor, requestId)
    const other = replacement(faults)
    if (other) return other
    if (parsed === undefined) return vendor.malformed(requestId)
    const call = { method, path: decodeURIComponent(path), query, asked, made, key, bytes: body.length }
    return vendor.answer(call) ?? vendor.error(404, requestId)
  }
  const { headers: own, ...rest } = reply()
  const all = { ...vendor.headers(requestId), ...own, ...(faultOf(faults, 'cookies') ? COOKIES : {}) }
  return { vendor, path, faults, model: asked.model, key, reply: { ...rest, headers: all } }
}

/** What a proxy must keep to itself. */
const COOKIES: Readonly<Record<string, string>> = {
  'set-cookie': '__cf_bm=mock; path=/; HttpOnly',
  'openai-organization': 'org-mock',
  'openai-project': 'proj_mock',
  'strict-transport-security': 'max-age=31536000',
  'alt-svc': 'h3=":443"',
  connection: 'keep-alive, x-hop',
  'x-hop': 'for the next hop alone',
  'x-internal-host': '10.0.0.7',
}

function failure({ status, quota, headers }: Fault & { kind: 'error' }, vendor: Vendor, requestId: string) {
  const made = quota && vendor.name === 'openai' ? quotaExceeded() : vendor.error(status, requestId)
  const retry = WITH_RETRY.includes(status) && !quota ? RETRY : {}
  return { ...made, headers: { ...made.headers, ...retry, ...headers } }
}

function replacement(faults: readonly Fault[]): Reply | undefined {
  const redirect = faultOf(faults, 'redirect')
  if (redirect) return { status: 302, headers: { location: redirect.to ?? '/redirected' }, body: '' }
  const garbage = faultOf(faults, 'garbage')
  if (!garbage) return undefined
  const body = garbage.body ?? '<html><body><h1>Welcome to nginx!</h1></body></html>'
  return { status: garbage.status ?? 200, headers: { 'content-type': 'text/html' }, body }
}

/** Undefined for JSON that cannot be read; nothing for what is no JSON at all, such as audio. */
function parse(headers: IncomingHttpHeaders, body: Buffer): Body | undefined {
  if (body.length === 0 || !/\bjson\b/.test(headers['content-type'] ?? '')) return {}
  try {
    return objectOf(JSON.parse(body.toString('utf8')))
  } catch {
    return undefined
  }
}
