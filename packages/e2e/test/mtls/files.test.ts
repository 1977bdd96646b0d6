import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { X509Certificate } from 'node:crypto'
import { connect } from 'node:tls'
import { createLogger, openTls, serviceEnv } from '@waybill/service-kit'
import { writeWhole } from '@waybill/dev-env/testing'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { certificateFolder, dial, mtlsStand, request, swapped, tlsVariables } from './stand.ts'

const schema = z.object(serviceEnv({ port: 0 }))
const logger = createLogger({ service: 'test', level: 'silent' })

/** What openTls says of these variables. */
function complaint(variables: Record<string, string>): string {
  try {
    openTls({ service: 'test', config: schema.parse(variables), logger })?.close()
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

/** The serial number of the certificate that a listener shows to a new connection. */
async function serialAt(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  const serial = socket.getPeerX509Certificate()!.serialNumber
  socket.destroy()
  return serial
}

const serialOf = (pem: string): string => new X509Certificate(pem).serialNumber

describe('what is wrong with the TLS settings stops the start and names the variable', () => {
  it('without any there is no TLS', () => {
    expect(openTls({ service: 'test', config: schema.parse({}), logger })).toBeUndefined()
  })

  it('certificate and key come together, and whoever judges clients needs a CA', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    const { TLS_CERT_FILE, TLS_KEY_FILE, TLS_CA_FILE } = tlsVariables(folder, 'docling')
    expect(complaint({ TLS_CERT_FILE: TLS_CERT_FILE! })).toContain('TLS_KEY_FILE: is required')
    expect(complaint({ TLS_KEY_FILE: TLS_KEY_FILE! })).toContain('TLS_CERT_FILE: is required')
    expect(complaint({ TLS_CA_FILE: TLS_CA_FILE! })).toContain('TLS_CERT_FILE: is required')
    const pair = { TLS_CERT_FILE: TLS_CERT_FILE!, TLS_KEY_FILE: TLS_KEY_FILE! }
    expect(complaint({ ...pair, TLS_CLIENT_AUTH: 'optional' })).toContain('TLS_CA_FILE: is required')
    expect(complaint({ TLS_CLIENT_AUTH: 'required' })).toMatch(/TLS_CERT_FILE: .*\n.*TLS_CA_FILE: /)
    expect(
      complaint({ ...pair, TLS_CA_FILE: TLS_CA_FILE!, TLS_CLIENT_AUTH: 'required', TLS_LISTEN: 'false' }),
    ).toContain('TLS_LISTEN')
    expect(complaint(pair)).toBe('')
  })

  it('files that cannot be read, or that do not fit together', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    const good = tlsVariables(folder, 'docling')
    const other = tlsVariables(folder, 'gateway')
    const text = join(folder.folder, 'text')
    writeFileSync(text, 'no certificate')
    expect(complaint({ ...good, TLS_CERT_FILE: join(folder.folder, 'none') })).toContain(
      'TLS_CERT_FILE: cannot be read (ENOENT)',
    )
    expect(complaint({ ...good, TLS_CERT_FILE: text })).toContain('TLS_CERT_FILE: holds no certificate')
    expect(complaint({ ...good, TLS_KEY_FILE: text })).toContain('TLS_KEY_FILE: holds no private key')
    expect(complaint({ ...good, TLS_KEY_FILE: other.TLS_KEY_FILE! })).toContain(
      'TLS_KEY_FILE: is not the key',
    )
    expect(complaint({ ...good, TLS_CA_FILE: good.TLS_CERT_FILE! })).toContain(
      'TLS_CA_FILE: holds a certificate that is no CA',
    )
  })

  it('a service is not served in clear because its app forgot to open the files', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    const { createService } = await import('@waybill/service-kit')
    const config = schema.parse(tlsVariables(folder, 'docling'))
    const authenticate = () => Promise.resolve(undefined)
    expect(() =>
      createService({ name: 'docling', config, auth: { authenticate }, routes: [], logger }),
    ).toThrow('TLS_CERT_FILE')
  })
})

describe('new files are taken up without a restart', () => {
  it('after an atomic rename, for new connections; old ones go on', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    await using stand = await mtlsStand(folder, { variables: { TLS_CLIENT_AUTH: 'required' } })
    const line = await dial({ port: stand.port, version: 'TLSv1.3', certified: folder.of('gateway') })
    const before = serialOf(folder.of('data_store').certificate)
    expect(await serialAt(stand.port)).toBe(before)
    const swap = swapped(stand.tls)
    await folder.certificates.renew()
    await swap
    const after = serialOf(folder.of('data_store').certificate)
    expect(after).not.toBe(before)
    expect(await serialAt(stand.port)).toBe(after)
    expect((await line.ask()).status).toBe(200)
    line.end()
  })

  it('when a link is turned to another folder, as Kubernetes does', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    const mount = join(folder.folder, 'mount')
    const generation = async (name: string): Promise<string> => {
      const { certificate, key } = await (await folder.authority()).issue(request('data_store'))
      mkdirSync(join(mount, name), { recursive: true })
      writeFileSync(join(mount, name, 'tls.crt'), certificate)
      writeFileSync(join(mount, name, 'tls.key'), key)
      symlinkSync(name, join(mount, '..data_tmp'))
      renameSync(join(mount, '..data_tmp'), join(mount, '..data'))
      return serialOf(certificate)
    }
    const first = await generation('..1')
    for (const file of ['tls.crt', 'tls.key']) symlinkSync(join('..data', file), join(mount, file))
    const variables = { TLS_CERT_FILE: join(mount, 'tls.crt'), TLS_KEY_FILE: join(mount, 'tls.key') }
    await using stand = await mtlsStand(folder, {
      variables: { ...variables, TLS_RELOAD_INTERVAL_MS: '3600000' },
    })
    expect(await serialAt(stand.port)).toBe(first)
    const swap = swapped(stand.tls)
    const second = await generation('..2')
    rmSync(join(mount, '..1'), { recursive: true })
    await swap
    expect(await serialAt(stand.port)).toBe(second)
  })

  it('where the file system tells of nothing, by looking', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    const seen = join(folder.folder, 'seen')
    const real = (name: string): string => join(folder.folder, name)
    // The watch is on the first folder, which is never written to again.
    symlinkSync(real('data_store'), seen)
    const variables = { TLS_CERT_FILE: join(seen, 'tls.crt'), TLS_KEY_FILE: join(seen, 'tls.key') }
    await using stand = await mtlsStand(folder, { variables: { ...variables, TLS_RELOAD_INTERVAL_MS: '50' } })
    const swap = swapped(stand.tls)
    symlinkSync(real('docling'), `${seen}.new`)
    renameSync(`${seen}.new`, seen)
    await swap
    expect(await serialAt(stand.port)).toBe(serialOf(folder.of('docling').certificate))
  })

  it('what is broken is logged once, without the key, and the old stays', async () => {
    using folder = certificateFolder()
    await folder.certificates.ensure()
    const lines: string[] = []
    const sink = createLogger({ service: 'test', destination: { write: (line) => void lines.push(line) } })
    const config = schema.parse({ ...tlsVariables(folder, 'docling'), TLS_RELOAD_INTERVAL_MS: '50' })
    const tls = openTls({ service: 'docling', config, logger: sink })!
    const before = tls.current()
    const { files } = folder.certificates
    const key = folder.of('docling').key
    const logged = new Promise<void>((resolve) => {
      const push = lines.push.bind(lines)
      lines.push = (...added) => {
        resolve()
        return push(...added)
      }
    })
    writeWhole(files.services.docling.key, folder.of('gateway').key, 0o600)
    await logged
    expect(tls.current()).toBe(before)
    expect(lines.join()).toContain('TLS_KEY_FILE: is not the key of TLS_CERT_FILE')
    expect(lines.join()).not.toContain('PRIVATE KEY')
    const swap = swapped(tls)
    const { certificate, key: fresh } = await (await folder.authority()).issue(request('docling'))
    writeWhole(files.services.docling.key, fresh, 0o600)
    writeWhole(files.services.docling.certificate, certificate)
    await swap
    expect(tls.current().certificate).toBe(certificate)
    expect(key).not.toBe(fresh)
    expect(lines.filter((line) => line.includes('not usable')).length).toBeLessThanOrEqual(2)
    tls.close()
  })
})
