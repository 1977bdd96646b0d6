import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SERVICES } from '@waybill/contracts'
import type { ServiceName } from '@waybill/contracts'
import { runDemo, startPlatform } from '@waybill/dev-env'
import type { Platform } from '@waybill/dev-env'
import { openCertificates } from '@waybill/dev-env/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser } from '../../src/user.ts'
import type { Answer } from '../../src/user.ts'
import { attempt } from './stand.ts'

let platform: Platform
let onLine: (source: string, line: string) => void = () => undefined

beforeAll(async () => {
  platform = await startPlatform({
    mtls: true,
    env: { ...process.env, LOG_LEVEL: 'info' },
    log: (source, line) => {
      onLine(source, line)
    },
  })
})
afterAll(() => platform.close())

const STRICT = SERVICES.filter((name) => !['gateway', 'auth-service', 'work-platform'].includes(name))

function portOf(service: ServiceName): number {
  return Number(new URL(platform.services[service]).port)
}

function certifiedOf(service: ServiceName) {
  const read = (file: string): string => readFileSync(join(platform.tls!.folder, service, file), 'utf8')
  return { certificate: read('tls.crt'), key: read('tls.key') }
}

describe('the platform on mutual TLS', () => {
  it('tells where its CA and certificates are, and speaks plain HTTP at the gateway alone', () => {
    expect(readFileSync(platform.tls!.ca, 'utf8')).toContain('BEGIN CERTIFICATE')
    for (const service of SERVICES) {
      expect(platform.services[service]).toMatch(service === 'gateway' ? /^http:/ : /^https:/)
    }
  })

  it('every journey of the demo holds', async () => {
    const journeys = await runDemo(platform, { begins: () => undefined, ended: () => undefined })
    expect(
      journeys.flatMap(({ name, failures }) => failures.map((failure) => `${name}: ${failure}`)),
    ).toEqual([])
    expect(journeys.length).toBeGreaterThanOrEqual(10)
  })

  it.each(STRICT)('%s ends connections without a certificate, and answers one with', async (service) => {
    const line = { port: portOf(service), version: 'TLSv1.3', path: '/livez' } as const
    expect((await attempt(line)).status).toBeUndefined()
    expect((await attempt({ ...line, certified: certifiedOf('gateway') })).status).toBe(200)
  })

  it.each(['auth-service', 'work-platform'] as const)('%s lets people in without', async (service) => {
    const line = { port: portOf(service), version: 'TLSv1.3', path: '/livez' } as const
    expect((await attempt(line)).status).toBe(200)
  })

  it('under load no request fails while all certificates are renewed and the CA is replaced', async () => {
    const certificates = openCertificates({ folder: platform.tls!.folder })
    const user = await newUser(platform.services.gateway)
    const question = { json: { operation: 'answer', input: { question: 'What is a waybill?' } } }
    const requests: (() => Promise<Answer>)[] = [
      () => user.ask('/data/v1/postgres/collections/notes/records'),
      () => user.ask('/execute', question),
      () => user.ask('/work/api/projects'),
      () => user.ask('/auth/me'),
    ]
    const statuses = async (): Promise<number[]> =>
      (await Promise.all(requests.map((send) => send()))).map(({ status }) => status)
    expect(await statuses()).toEqual([200, 200, 200, 200])

    const failures: unknown[] = []
    let isOver = false
    let answered = 0
    const caller = async (send: () => Promise<Answer>): Promise<void> => {
      while (!isOver) {
        const { status, body } = await send()
        if (status === 200) answered += 1
        else failures.push({ status, body })
      }
    }
    const load = Promise.all(requests.map(caller))
    /** Makes a change and waits until every service has logged that it took it up. */
    const step = async (change: () => Promise<void>): Promise<void> => {
      const seen = swapsOfAll()
      await change()
      await seen
    }
    await step(certificates.renew)
    await step(certificates.addAuthority)
    await step(certificates.renew)
    const countBefore = answered
    await step(certificates.retireAuthorities)
    isOver = true
    await load
    expect(failures).toEqual([])
    expect(answered).toBeGreaterThan(countBefore)
    expect(await statuses()).toEqual([200, 200, 200, 200])
  })
})

/** Resolves when each service has swapped its certificates once from now on. */
function swapsOfAll(): Promise<void> {
  const waiting = new Set<string>(SERVICES)
  return new Promise((resolve) => {
    onLine = (source, line) => {
      if (line.includes('certificates were replaced')) waiting.delete(source)
      if (waiting.size === 0) resolve()
    }
  })
}
