import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createAuthority } from '@waybill/dev-env/testing'
import type { Certified } from '@waybill/dev-env/testing'
import { describe, expect, it } from 'vitest'
import { attempt, certificateFolder, dial, mtlsStand, request, swapped } from './stand.ts'
import type { CertificateFolder } from './stand.ts'

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const HANDSHAKES = ['full', 'resumed'] as const
const MODES = ['required', 'optional'] as const
const HOUR_MS = 3_600_000

/** Certificates that nobody is to be let in with. */
const BAD: Record<string, (folder: CertificateFolder) => Promise<Certified | undefined>> = {
  none: () => Promise.resolve(undefined),
  untrusted: async () => {
    const stranger = await createAuthority({ from: Date.now() - HOUR_MS, until: Date.now() + HOUR_MS })
    return stranger.issue(request('gateway'))
  },
  expired: async (folder) =>
    (await folder.authority()).issue(request('gateway', { until: Date.now() - 60_000 })),
  'wrong SPIFFE id': async (folder) =>
    (await folder.authority()).issue(
      request('gateway', { names: [{ type: 'url', value: 'spiffe://elsewhere.local/svc/gateway' }] }),
    ),
}

const CELLS = MODES.flatMap((mode) =>
  VERSIONS.flatMap((version) => HANDSHAKES.map((handshake) => ({ mode, version, handshake }))),
)

describe.each(CELLS)('a $mode listener, $version, $handshake handshake', ({ mode, version, handshake }) => {
  const isResumed = handshake === 'resumed'
  /** On a strict listener not a byte comes back; on the other it is the answer to nobody. */
  const refusal = mode === 'required' ? undefined : 401

  it.each(Object.keys(BAD))('refuses a client whose certificate is: %s', async (kind) => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    await using stand = await mtlsStand(folder, { variables: { TLS_CLIENT_AUTH: mode } })
    const good = await attempt({ port: stand.port, version, certified: folder.of('gateway') })
    expect(good).toMatchObject({ status: 200, body: '{"who":"gateway","via":"mtls"}' })

    const bad = await attempt({
      port: stand.port,
      version,
      certified: await BAD[kind]!(folder),
      session: isResumed ? good.session : undefined,
    })
    expect(bad).toMatchObject({ status: refusal, isReused: false })
  })

  it('refuses a client whose CA was removed, on its old connection too', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    await using stand = await mtlsStand(folder, { variables: { TLS_CLIENT_AUTH: mode } })
    const certified = folder.of('gateway')
    const old = await dial({ port: stand.port, version, certified })
    const good = await old.ask()
    expect(good.status).toBe(200)

    const added = swapped(stand.tls)
    await folder.certificates.addAuthority()
    await added
    expect((await old.ask()).status).toBe(200)
    await folder.certificates.renew()
    const removed = swapped(stand.tls)
    await folder.certificates.retireAuthorities()
    await removed

    if (mode === 'optional') expect((await old.ask('/open')).status).toBe(200)
    expect((await old.ask(mode === 'required' ? '/open' : '/who')).status).toBe(401)
    const session = isResumed ? good.session : undefined
    expect(await attempt({ port: stand.port, version, certified, session })).toMatchObject({
      status: refusal,
      isReused: false,
    })
    expect(await attempt({ port: stand.port, version, certified: folder.of('gateway') })).toMatchObject({
      status: 200,
    })
    old.end()
  })
})

it.each(VERSIONS)(
  'the client of these tests does resume a session where a server lets it, %s',
  async (version) => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    const { certificate, key } = folder.of('data_store')
    const server = createServer({ cert: certificate, key }, (_req, res) => void res.end('hello'))
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const { session } = await attempt({ port, version })
    expect(await attempt({ port, version, session })).toMatchObject({ status: 200, isReused: true })
    await new Promise((resolve) => server.close(resolve))
  },
)
