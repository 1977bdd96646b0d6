import { getEventListeners, once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { admitted } from '../src/relay/admission.ts'
import { incomingBody } from '../src/relay/incoming.ts'
import { limited, readWhole } from '../src/relay/request-body.ts'
import type { Place } from '../src/usage/meter.ts'

const ALICE: UserPrincipal = {
  ...{ kind: 'user', userId: 'alice', role: 'user', permissions: ['agents.query'], actors: [], via: 'jwt' },
}
const LIMITS = { bodyLimitBytes: 200_000, maxJson: { values: 1000, depth: 100 } }
const NEVER = new AbortController().signal

const server = createServer()
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

/** A request of which only `part` has been sent, and the client that may leave. */
async function begun(
  part: string,
  type = 'application/json',
): Promise<{ req: IncomingMessage; client: Socket }> {
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const head = ['POST / HTTP/1.1', 'Host: here', `Content-Type: ${type}`, 'Content-Length: 100000']
  client.write(`${head.join('\r\n')}\r\n\r\n${part}`)
  const [req] = (await once(server, 'request')) as [IncomingMessage]
  return { req, client }
}

async function left({ req, client }: { req: IncomingMessage; client: Socket }): Promise<void> {
  // events.once would listen for errors too, which whoever reads the body has to do.
  const closed = new Promise((resolve) => req.once('close', resolve))
  client.destroy()
  await closed
}

/** What `work` fails with, heard of from the start. */
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

/** A meter that lets in when it is told to. */
function slowMeter() {
  const answer = Promise.withResolvers<Place>()
  let places = 0
  const leave = () => void (places -= 1)
  return {
    meter: { enter: () => answer.promise },
    places: () => places,
    letIn: () => {
      places += 1
      answer.resolve({ leave })
    },
  }
}

describe('a client that leaves while its call waits for a place', () => {
  it.each([
    ['JSON', 'application/json'],
    ['any other type', 'application/octet-stream'],
  ])('does not keep the place: a body of %s', async (_, type) => {
    const { meter, places, letIn } = slowMeter()
    const request = await begun('{"a', type)
    const work = admitted(meter, request.req, ALICE, async () => {
      const { body } = await incomingBody(request.req, 'other', LIMITS, NEVER)
      return body && buffer(body)
    })
    const failure = failureOf(work)
    await left(request)
    letIn()
    expect(places()).toBe(1)
    expect(await failure).toMatchObject({ code: 'client_closed' })
    expect(places()).toBe(0)
  })
})

describe('a body that is read whole', () => {
  const heard = (req: IncomingMessage) => ['data', 'end', 'error'].map((name) => req.listenerCount(name))

  it('is given up with its request: what stalls is waited for no longer, and nothing listens on', async () => {
    const { req, client } = await begun('{"a')
    const before = heard(req)
    const abort = new AbortController()
    const reading = readWhole(req, 100_000, abort.signal)
    expect(heard(req)).not.toEqual(before)
    abort.abort(new Problem('timeout', 'Not finished.'))
    await expect(reading).rejects.toMatchObject({ code: 'timeout' })
    expect(heard(req)).toEqual(before)
    client.destroy()
  })

  it('is not begun for a request that was given up before', async () => {
    const { req, client } = await begun('{"a')
    const before = heard(req)
    const given = AbortSignal.abort(new Problem('timeout', 'Not finished.'))
    await expect(readWhole(req, 100_000, given)).rejects.toMatchObject({ code: 'timeout' })
    expect(heard(req)).toEqual(before)
    client.destroy()
  })

  it('is nobody’s when the client leaves midway', async () => {
    const request = await begun('{"a')
    const { signal } = new AbortController()
    const failure = failureOf(readWhole(request.req, 100_000, signal))
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    await left(request)
    expect(await failure).toMatchObject({ code: 'client_closed' })
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

describe('a body that streams', () => {
  it('fails to whoever reads it, and not before: an error that nobody hears ends the process', async () => {
    const request = await begun('abc', 'text/plain')
    const body = limited(request.req, 100_000)
    await left(request)
    expect(body.errored).toBeNull()
    await expect(buffer(body)).rejects.toMatchObject({ code: 'client_closed' })
  })

  it('is too long to whoever reads it, and not before', async () => {
    const { req, client } = await begun('x'.repeat(50), 'text/plain')
    const body = limited(req, 10)
    expect(req.listenerCount('data')).toBe(0)
    await expect(buffer(body)).rejects.toMatchObject({ code: 'payload_too_large' })
    client.destroy()
  })

  it('fails midway when the client leaves midway', async () => {
    const request = await begun('abc', 'text/plain')
    const body = limited(request.req, 100_000)
    const [first] = (await once(body, 'data')) as [Buffer]
    expect(first.toString()).toBe('abc')
    const failure = failureOf(once(body, 'end'))
    await left(request)
    expect(await failure).toMatchObject({ code: 'client_closed' })
  })
})
