import { createHash, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { route } from '@waybill/service-kit'
import { user } from '@waybill/auth'
import type { Certified, CertificateRequest } from '@waybill/dev-env/testing'
import { loadAuthority, writeWhole } from '@waybill/dev-env/testing'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { attempt, certificateFolder, dial, mtlsStand, request } from './stand.ts'
import type { CertificateFolder } from './stand.ts'

const version = 'TLSv1.3'
const ID = 'spiffe://waybill.local/svc/gateway'
const url = (value: string) => ({ type: 'url' as const, value })
const dns = (value: string) => ({ type: 'dns' as const, value })

/** Signed by the platform's own CA, and not to be believed. */
const SPOILED: Record<string, Partial<CertificateRequest>> = {
  'two URI names': { names: [url(ID), url('spiffe://waybill.local/svc/docling')] },
  'the same URI name twice': { names: [url(ID), url(ID)] },
  'a URI name of another kind beside it': { names: [url(ID), url('https://waybill.local/')] },
  'no URI name': { names: [dns('gateway')] },
  'no names at all': { names: [] },
  'a CA as leaf': { isAuthority: true },
  'a DNS name that reads like a URI name (CVE-2021-44532)': { names: [dns(`x, URI:${ID}`)] },
  'a DNS name with a quote': { names: [dns(`x", URI:${ID}`)] },
  'a URI name that reads like two': { names: [url(`${ID}, URI:${ID}`)] },
  'a service that nobody knows': { names: [url('spiffe://waybill.local/svc/intruder')] },
  'a name of every object': { names: [url('spiffe://waybill.local/svc/constructor')] },
  'another trust domain': { names: [url('spiffe://waybill.locale/svc/gateway')] },
  'a path below the service': { names: [url(`${ID}/admin`)] },
  'upper case': { names: [url('spiffe://waybill.local/svc/Gateway')] },
  'for servers only': { usages: ['server'] },
}

async function spoiled(folder: CertificateFolder, change: Partial<CertificateRequest>): Promise<Certified> {
  return (await folder.authority()).issue(request('gateway', change))
}

describe.each(['required', 'optional'] as const)('on a listener where certificates are %s', (mode) => {
  it.each(Object.entries(SPOILED))('a certificate with %s is refused', async (_, change) => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    await using stand = await mtlsStand(folder, { variables: { TLS_CLIENT_AUTH: mode } })
    const answer = await attempt({ port: stand.port, version, certified: await spoiled(folder, change) })
    expect(answer.status).toBe(mode === 'required' ? undefined : 401)
  })

  it('a CA below the trusted one is believed where it is in the bundle too, as long as it is good', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    let now = Date.now()
    const root = await folder.authority()
    const below = await root.issue(
      request('a CA below', { isAuthority: true, names: [], until: now + 60_000 }),
    )
    const bundle = join(folder.folder, 'both.crt')
    writeWhole(bundle, root.certificate + below.certificate)
    const leaf = await (await loadAuthority(below)).issue(request('gateway'))
    const certified = { ...leaf, certificate: leaf.certificate + below.certificate }
    const variables = { TLS_CLIENT_AUTH: mode, TLS_CA_FILE: bundle }
    await using stand = await mtlsStand(folder, { variables, now: () => now })
    const line = await dial({ port: stand.port, version, certified })
    expect((await line.ask()).status).toBe(200)

    await using narrow = await mtlsStand(folder, { variables: { TLS_CLIENT_AUTH: mode } })
    const refused = await attempt({ port: narrow.port, version, certified })
    expect(refused.status).toBe(mode === 'required' ? undefined : 401)
    now += 120_000
    expect((await line.ask()).status).toBe(401)
    line.end()
  })

  it('a connection is refused from the moment on that its certificate has expired', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    let now = Date.now()
    await using stand = await mtlsStand(folder, { variables: { TLS_CLIENT_AUTH: mode }, now: () => now })
    const line = await dial({ port: stand.port, version, certified: await spoiled(folder, {}) })
    expect((await line.ask()).status).toBe(200)
    now += 2 * 3_600_000
    const late = await line.ask()
    expect(late.status).toBe(401)
    expect(JSON.parse(late.body)).toMatchObject({ code: 'invalid_token' })
    line.end()
  })
})

it('a listener that lets everybody in tells nobody apart by the lack of a certificate', async () => {
  using folder = certificateFolder()
  await folder.certificates.ensure()
  await using stand = await mtlsStand(folder, { variables: { TLS_CLIENT_AUTH: 'optional' } })
  expect((await attempt({ port: stand.port, version, path: '/open' })).status).toBe(200)
  expect((await attempt({ port: stand.port, version, path: '/livez' })).status).toBe(200)
  const answer = await attempt({ port: stand.port, version })
  expect(JSON.parse(answer.body)).toMatchObject({ status: 401, code: 'unauthenticated' })
})

it('a strict listener asks health probes for a certificate too', async () => {
  using folder = certificateFolder()
  await folder.certificates.ensure()
  await using stand = await mtlsStand(folder, { variables: { TLS_CLIENT_AUTH: 'required' } })
  const probe = { port: stand.port, version, path: '/readyz' } as const
  expect((await attempt(probe)).status).toBeUndefined()
  expect((await attempt({ ...probe, certified: folder.of('data_store') })).status).toBe(200)
})

describe('tokens beside a certificate', () => {
  const routes = [
    route('GET', '/who', {
      summary: 'Who calls',
      auth: user(),
      output: z.object({ who: z.string() }),
      handle: ({ principal }) => ({ who: principal.userId }),
    }),
  ]
  const OPTIONAL = { TLS_CLIENT_AUTH: 'optional' }

  it('a token that is bound to a certificate is good with that certificate alone (RFC 8705)', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    await using stand = await mtlsStand(folder, { variables: OPTIONAL, routes })
    const certified = folder.of('gateway')
    const der = new X509Certificate(certified.certificate).raw
    const thumbprint = createHash('sha256').update(der).digest('base64url')
    const options = { audience: 'data_store', actors: ['gateway'], thumbprint }
    const token = await stand.issuer.userToken('ann', options)
    const headers = { Authorization: `Bearer ${token}` }
    const ask = (shown?: Certified) => attempt({ port: stand.port, version, certified: shown, headers })
    expect(await ask(certified)).toMatchObject({ status: 200, body: '{"who":"ann"}' })
    expect((await ask(await spoiled(folder, {}))).status).toBe(401)
    expect((await ask(folder.of('docling'))).status).toBe(401)
    expect((await ask()).status).toBe(401)
  })

  it('a token of one service is not good with the certificate of another', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    await using stand = await mtlsStand(folder, { variables: OPTIONAL, routes })
    const token = await stand.issuer.userToken('ann', { audience: 'data_store', actors: ['gateway'] })
    const headers = { Authorization: `Bearer ${token}` }
    const ask = (shown?: Certified) => attempt({ port: stand.port, version, certified: shown, headers })
    expect((await ask(folder.of('gateway'))).status).toBe(200)
    expect((await ask(folder.of('docling'))).status).toBe(401)
    expect((await ask()).status).toBe(200)
  })
})
