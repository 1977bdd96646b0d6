import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { TLSSocket } from 'node:tls'
import { createAuthority, writeCertified, writeWhole } from '@waybill/dev-env/testing'
import type { Certified } from '@waybill/dev-env/testing'
import { describe, expect, it } from 'vitest'
import { clientStand, who } from './client-stand.ts'
import { certificateFolder, request, swapped } from './stand.ts'
import type { CertificateFolder } from './stand.ts'

/** A server that lets everybody in and answers every question, with a certificate as told. */
async function impostor(certified: Certified) {
  let requests = 0
  const resumed: boolean[] = []
  const server = createServer({ cert: certified.certificate, key: certified.key }, (_req, res) => {
    requests += 1
    res.end('{"who":"impostor","via":"none"}')
  })
  server.on('secureConnection', (socket) => {
    if (socket instanceof TLSSocket) resumed.push(socket.isSessionReused())
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    resumed,
    server,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const HOUR_MS = 3_600_000
const names = [{ type: 'url' as const, value: 'spiffe://waybill.local/svc/data_store' }]
const host = { type: 'ip' as const, value: '127.0.0.1' }

/** Who might answer in place of data_store; host names are right in all. */
const IMPOSTORS: Record<string, (folder: CertificateFolder) => Promise<Certified>> = {
  'another service of the platform': (folder) => Promise.resolve(folder.of('docling')),
  'a server of an unknown CA': async () => {
    const stranger = await createAuthority({ from: Date.now() - HOUR_MS, until: Date.now() + HOUR_MS })
    return stranger.issue(request('data_store', { names: [...names, host] }))
  },
  'a server with an expired certificate': async (folder) =>
    (await folder.authority()).issue(
      request('data_store', { names: [...names, host], until: Date.now() - 60_000 }),
    ),
  'a server with two SPIFFE ids': async (folder) =>
    (await folder.authority()).issue(
      request('data_store', {
        names: [...names, { type: 'url', value: 'spiffe://waybill.local/svc/docling' }, host],
      }),
    ),
  'a server whose certificate is for clients only': async (folder) =>
    (await folder.authority()).issue(request('data_store', { names: [...names, host], usages: ['client'] })),
  'a server with the host name alone': async (folder) =>
    (await folder.authority()).issue(
      request('data_store', { names: [host, { type: 'dns', value: 'localhost' }] }),
    ),
}

describe('a call is made to the service that it is meant for, or not at all', () => {
  it('with tokens and calls over mutual TLS', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    await using client = await clientStand(folder)
    await using neighbour = await client.neighbour({ name: 'data_store' })
    const call = client.http.internal('data_store', neighbour.url).call(who)
    expect(await call).toEqual({ who: 'gateway', via: 'service-jwt' })
  })

  it.each(Object.entries(IMPOSTORS))('not to %s', async (_, certifiedOf) => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    await using client = await clientStand(folder)
    await using server = await impostor(await certifiedOf(folder))
    const call = client.http.internal('data_store', server.url).call(who)
    await expect(call).rejects.toMatchObject({ code: 'unavailable', status: 503 })
    expect(server.requests()).toBe(0)
  })

  it('by the SPIFFE id, whatever the host name', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    await using client = await clientStand(folder)
    await using server = await impostor(
      await (await folder.authority()).issue(request('data_store', { names })),
    )
    expect(await client.http.internal('data_store', server.url).call(who)).toMatchObject({ who: 'impostor' })
  })
})

describe('after a swap of certificates', () => {
  it('idle connections end, and a new one shows the new certificate without resuming a session', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    await using client = await clientStand(folder)
    await using server = await impostor(folder.of('data_store'))
    const neighbour = client.http.internal('data_store', server.url)
    const ended = new Promise<void>((resolve) => {
      server.server.once('secureConnection', (socket) => socket.once('close', () => resolve()))
    })
    await neighbour.call(who)
    await neighbour.call(who)
    expect(server.resumed).toEqual([false])
    const swap = swapped(client.tls)
    writeCertified(
      folder.certificates.files.services.gateway,
      await (await folder.authority()).issue(request('gateway')),
    )
    await swap
    await ended
    await neighbour.call(who)
    expect(server.resumed).toEqual([false, false])
  })

  it('a server whose CA was removed is not called again, on an old connection neither', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    await using client = await clientStand(folder)
    await using server = await impostor(folder.of('data_store'))
    const neighbour = client.http.internal('data_store', server.url)
    await neighbour.call(who)
    const other = await createAuthority({ from: Date.now() - HOUR_MS, until: Date.now() + HOUR_MS })
    const swap = swapped(client.tls)
    writeWhole(folder.certificates.files.bundle, other.certificate)
    await swap
    await expect(neighbour.call(who)).rejects.toMatchObject({ code: 'unavailable' })
    expect(server.requests()).toBe(1)
  })
})
