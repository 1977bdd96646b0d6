import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openCertificates } from '@waybill/dev-env/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACCESS_TOKEN, basic, claimsOf, EXCHANGE, secretOf, startSetting } from './setting.ts'
import type { Session, Setting } from './setting.ts'

const folder = mkdtempSync(join(tmpdir(), 'waybill-certs-'))
const certificates = openCertificates({ folder })
const { files } = certificates

let setting: Setting
let url: string
let user: Session
beforeAll(async () => {
  await certificates.ensure()
  setting = await startSetting()
  user = await setting.newUser()
  const service = await setting.another({
    TLS_CERT_FILE: files.services['auth-service'].certificate,
    TLS_KEY_FILE: files.services['auth-service'].key,
    TLS_CA_FILE: files.bundle,
    TLS_CLIENT_AUTH: 'optional',
  })
  url = (await service.listen({ port: 0 })).url
})
afterAll(async () => {
  await setting.close()
  rmSync(folder, { recursive: true })
})

interface Sent {
  method?: string
  headers?: Record<string, string>
  form?: Record<string, string>
  /** Whose certificates; those that the service trusts when absent. */
  from?: typeof files
}

interface Answer {
  status: number | undefined
  headers: Record<string, string | string[] | undefined>
  body: Record<string, unknown>
}

/** A request on a connection of its own, as `client` by its certificate, or as nobody. */
function send(client: 'gateway' | 'docling' | undefined, path: string, sent: Sent = {}): Promise<Answer> {
  const { services } = sent.from ?? files
  const identity = client && {
    cert: readFileSync(services[client].certificate),
    key: readFileSync(services[client].key),
  }
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, form } = sent
    const type = { 'Content-Type': 'application/x-www-form-urlencoded' }
    const asked = request(
      url + path,
      {
        ca: readFileSync(files.bundle),
        agent: false,
        method,
        headers: { ...headers, ...(form && type) },
        ...identity,
      },
      (res) => {
        const chunks: Buffer[] = []
        res.on('data', (chunk: Buffer) => chunks.push(chunk))
        res.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>
          resolve({ status: res.statusCode, headers: res.headers, body })
        })
      },
    )
    asked.on('error', reject).end(form && new URLSearchParams(form).toString())
  })
}

const token = (client: 'gateway' | 'docling' | undefined, form: Record<string, string>, headers = {}) =>
  send(client, '/oauth/token', { method: 'POST', form, headers })
const OWN = { grant_type: 'client_credentials', audience: 'auth-service', client_id: 'gateway' }
const thumbprint = (service: 'gateway' | 'docling'): string => {
  const der = new X509Certificate(readFileSync(files.services[service].certificate)).fingerprint256
  return Buffer.from(der.replaceAll(':', ''), 'hex').toString('base64url')
}

describe('a service with its certificate (RFC 8705)', () => {
  it('gets a token without any secret, bound to that certificate', async () => {
    const { status, body } = await token('gateway', OWN)
    expect(status).toBe(200)
    expect(claimsOf(body.access_token as string)).toMatchObject({
      ...{ sub: 'gateway', cnf: { 'x5t#S256': thumbprint('gateway') } },
    })
  })

  it('gets on-behalf-of tokens bound to it, whatever the subject’s was bound to', async () => {
    const exchange = (client: 'gateway' | 'docling', audience: string, subject: string) =>
      token(client, {
        ...{ grant_type: EXCHANGE, client_id: client, audience },
        ...{ subject_token: subject, subject_token_type: ACCESS_TOKEN },
      })
    const first = await exchange('gateway', 'docling', user.access_token)
    const second = await exchange('docling', 'llm-proxy', first.body.access_token as string)
    expect(claimsOf(second.body.access_token as string)).toMatchObject({
      ...{ sub: user.user_id, cnf: { 'x5t#S256': thumbprint('docling') } },
    })
  })

  it('has a token that is worth nothing without it', async () => {
    const { body } = await token('gateway', OWN)
    const headers = { Authorization: `Bearer ${body.access_token as string}` }
    // Known, though no user.
    expect((await send('gateway', '/auth/me', { headers })).status).toBe(403)
    expect((await send('docling', '/auth/me', { headers })).status).toBe(401)
    expect((await send(undefined, '/auth/me', { headers })).status).toBe(401)
    await setting.http.get('/auth/me').set(headers).expect(401)
  })

  it('follows revocations, introspects and revokes with it', async () => {
    expect((await send('docling', '/oauth/revocations')).status).toBe(200)
    const form = { client_id: 'docling', token: user.access_token }
    const introspected = await send('docling', '/oauth/introspect', { method: 'POST', form })
    expect(introspected.body.active).toBe(true)
    const revoked = await send('docling', '/oauth/revoke', { method: 'POST', form: { ...form, token: 'x' } })
    expect(revoked.status).toBe(200)
  })

  it('is no other service, by name or by secret', async () => {
    for (const answer of [
      await token('docling', OWN),
      await token('docling', OWN, { Authorization: basic('gateway', secretOf('gateway')) }),
      await token(undefined, OWN),
      await token('gateway', OWN, { Authorization: `Bearer ${user.access_token}` }),
    ]) {
      expect(answer.status).toBe(401)
      expect(answer.body.error).toBe('invalid_client')
    }
  })

  it('gets tokens that are not bound when its secret is what it authenticates by', async () => {
    const { status, body } = await token('gateway', OWN, {
      Authorization: basic('gateway', secretOf('gateway')),
    })
    expect(status).toBe(200)
    expect(claimsOf(body.access_token as string)).not.toHaveProperty('cnf')
  })

  it('from another authority is no client, whatever its name, and that stands in the audit', async () => {
    const others = openCertificates({ folder: mkdtempSync(join(folder, 'others-')) })
    await others.ensure()
    const { status, body } = await send('gateway', '/oauth/token', {
      ...{ method: 'POST', form: OWN, from: others.files },
    })
    expect(status).toBe(401)
    expect(body.error).toBe('invalid_client')
    const [row] = await setting.admin('select action, resource, outcome from audit order by seq desc limit 1')
    expect(row).toEqual({
      ...{ action: 'service_client.authenticate', resource: 'service_client/gateway', outcome: 'denied' },
    })
  })

  it('that asks for a stranger lends the stranger nothing: a sub-request is judged by what it carries', async () => {
    expect((await send('gateway', '/auth/verify')).status).toBe(401)
    const headers = { Authorization: `Bearer ${user.access_token}` }
    const { status, headers: told } = await send('gateway', '/auth/verify', { headers })
    expect(status).toBe(200)
    expect(told).toMatchObject({ 'x-service-name': '', 'x-user-id': user.user_id, 'x-auth-via': 'jwt' })
  })
})
