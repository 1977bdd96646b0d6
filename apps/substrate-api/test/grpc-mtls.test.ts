import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { credentials, status } from '@grpc/grpc-js'
import type { ChannelCredentials } from '@grpc/grpc-js'
import type { ServiceName } from '@waybill/contracts'
import { createAuthority, openCertificates, readCertified } from '@waybill/dev-env/testing'
import type { Certified } from '@waybill/dev-env/testing'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect } from 'node:tls'
import type { SecureVersion } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { basketClient } from './grpc-client.ts'
import type { Method } from './grpc-client.ts'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

const HOUR_MS = 3_600_000
const folder = mkdtempSync(join(tmpdir(), 'waybill-grpc-'))
const certificates = openCertificates({ folder })
const { files } = certificates
const certifiedAs = (name: ServiceName): Certified => readCertified(files.services[name])!
const bundle = (): Buffer => readFileSync(files.bundle)

/** A channel that believes our CA, with the certificate or none. */
function channel(own?: Certified): ChannelCredentials {
  return own
    ? credentials.createSsl(bundle(), Buffer.from(own.key), Buffer.from(own.certificate))
    : credentials.createSsl(bundle())
}

async function call(
  setting: Setting,
  own: Certified | undefined,
  metadata: Record<string, string> = {},
  method: Method = 'ListBaskets',
) {
  const client = basketClient(setting.service.grpc.address()!, channel(own))
  try {
    return await client.call(method, {}, metadata, { deadline: Date.now() + 5_000 })
  } finally {
    client.close()
  }
}

const tls = (clientAuth: string) => ({
  TLS_CERT_FILE: files.services['substrate-api'].certificate,
  TLS_KEY_FILE: files.services['substrate-api'].key,
  TLS_CA_FILE: files.bundle,
  TLS_CLIENT_AUTH: clientAuth,
  TLS_RELOAD_INTERVAL_MS: '50',
})
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

beforeAll(() => certificates.ensure())
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('where client certificates are optional', () => {
  let setting: Setting
  beforeAll(async () => {
    setting = await startSetting(tls('optional'))
  })
  afterAll(() => setting.close())
  const own = { audience: 'substrate-api', workspaceId: 'w1' }

  test('work-platform is known by its certificate alone, which names no workspace', async () => {
    const answer = await call(setting, certifiedAs('work-platform'))
    expect(answer).toMatchObject({ code: status.PERMISSION_DENIED, trailers: { code: 'workspace_required' } })
  })

  test('another service is known too, and may not', async () => {
    const answer = await call(setting, certifiedAs('gateway'))
    expect(answer).toMatchObject({ code: status.PERMISSION_DENIED, trailers: { code: 'forbidden' } })
  })

  test('a token beside the certificate of the service that brings it passes', async () => {
    const token = await setting.onBehalfOf('alice', 'w1')
    expect((await call(setting, certifiedAs('work-platform'), bearer(token))).code).toBe(status.OK)
  })

  test('a token beside the certificate of another service is refused', async () => {
    const token = await setting.onBehalfOf('alice', 'w1')
    const answer = await call(setting, certifiedAs('docling'), bearer(token))
    expect(answer).toMatchObject({ code: status.UNAUTHENTICATED, trailers: { code: 'invalid_token' } })
  })

  test('a token that is bound to a certificate (RFC 8705) needs that very one', async () => {
    const right = certifiedAs('work-platform')
    const digest = Buffer.from(
      new X509Certificate(right.certificate).fingerprint256.replaceAll(':', ''),
      'hex',
    )
    const token = await setting.onBehalfOf('alice', 'w1', { thumbprint: digest.toString('base64url') })
    expect((await call(setting, right, bearer(token))).code).toBe(status.OK)
    expect((await call(setting, undefined, bearer(token))).code).toBe(status.UNAUTHENTICATED)
  })

  test('without a certificate a token does, and nothing does not', async () => {
    const token = await setting.issuer.serviceToken('work-platform', own)
    expect((await call(setting, undefined, bearer(token))).code).toBe(status.OK)
    expect((await call(setting, undefined)).code).toBe(status.UNAUTHENTICATED)
  })

  test('an API key does without a certificate; with one it is ambiguous', async () => {
    const key = { 'x-api-key': setting.issuer.apiKey('alice') }
    expect((await call(setting, undefined, key)).code).toBe(status.OK)
    const both = await call(setting, certifiedAs('work-platform'), key)
    expect(both).toMatchObject({ code: status.INVALID_ARGUMENT, trailers: { code: 'ambiguous_credentials' } })
  })

  test('a certificate of a stranger is refused, and a good token beside it does not help', async () => {
    const until = Date.now() + HOUR_MS
    const stranger = await createAuthority({ from: Date.now() - HOUR_MS, until })
    const names = [{ type: 'url' as const, value: 'spiffe://waybill.local/svc/work-platform' }]
    const forged = await stranger.issue({
      commonName: 'work-platform',
      names,
      from: Date.now() - HOUR_MS,
      until,
    })
    const token = bearer(await setting.onBehalfOf('alice', 'w1'))
    expect((await call(setting, forged, token)).code).toBe(status.UNAUTHENTICATED)
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as SecureVersion[])('no %s session can be resumed', async (version) => {
    const [host, port] = setting.service.grpc.address()!.split(':')
    const options = {
      ...{
        host,
        port: Number(port),
        ca: bundle(),
        ALPNProtocols: ['h2'],
        minVersion: version,
        maxVersion: version,
      },
      checkServerIdentity: () => undefined,
    }
    const first = connect(options)
    let session: Buffer | undefined
    first.on('session', (given: Buffer) => (session = given))
    await new Promise((resolve) => first.once('secureConnect', resolve))
    session ??= first.getSession()
    first.destroy()
    const second = connect({ ...options, ...(session && { session }) })
    await new Promise((resolve) => second.once('secureConnect', resolve))
    expect(second.isSessionReused()).toBe(false)
    second.destroy()
  })
})

describe('where client certificates are required', () => {
  let setting: Setting
  let now = Date.now()
  beforeAll(async () => {
    setting = await startSetting(tls('required'), { now: () => now })
  })
  afterAll(() => setting.close())

  test('nobody without one is heard', async () => {
    const token = bearer(await setting.onBehalfOf('alice', 'w1'))
    expect((await call(setting, undefined, token)).code).toBe(status.UNAVAILABLE)
  })

  test('a connection outlives its certificate, but no call does', async () => {
    const client = basketClient(setting.service.grpc.address()!, channel(certifiedAs('work-platform')))
    const token = () => setting.onBehalfOf('alice', 'w1', { issuedAt: Math.floor(now / 1000) })
    expect((await client.call('ListBaskets', {}, bearer(await token()))).code).toBe(status.OK)
    now += 25 * HOUR_MS
    const late = await client.call('ListBaskets', {}, bearer(await token()))
    expect(late).toMatchObject({ code: status.UNAUTHENTICATED, trailers: { code: 'invalid_token' } })
    client.close()
    now = Date.now()
  })

  test('new certificates are taken up without a restart', async () => {
    const before = certifiedAs('substrate-api')
    await certificates.renew()
    expect(certifiedAs('substrate-api').certificate).not.toBe(before.certificate)
    const [host, port] = setting.service.grpc.address()!.split(':')
    const { certificate, key } = certifiedAs('work-platform')
    const shown = async () => {
      const socket = connect({
        host,
        port: Number(port),
        ca: bundle(),
        cert: certificate,
        key,
        ALPNProtocols: ['h2'],
        checkServerIdentity: () => undefined,
      })
      await new Promise((resolve) => socket.once('secureConnect', resolve))
      const peer = socket.getPeerX509Certificate()!.toString()
      socket.destroy()
      return peer
    }
    const renewed = new X509Certificate(certifiedAs('substrate-api').certificate).toString()
    await vi.waitFor(async () => expect(await shown()).toBe(renewed), { timeout: 5_000 })
    const token = bearer(await setting.onBehalfOf('alice', 'w1'))
    expect((await call(setting, certifiedAs('work-platform'), token)).code).toBe(status.OK)
  })
})
