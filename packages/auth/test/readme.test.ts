import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { loadConfig, requestContext } from '@waybill/service-kit'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { authEnv } from '../src/index.ts'
import { configSchema, createApp } from './examples/notes.ts'
import { StandInIssuer } from './stand-in.ts'

const file = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const README = file('../README.md')

test('the example of the README is the one that is compiled and run here', async () => {
  expect(README).toContain(file('examples/notes.ts'))
  const secret = 'a-secret-of-work-platform-for-this-test'
  const hashed = createHash('sha256').update(secret).digest('hex')
  const environment = { LOG_LEVEL: 'silent', SERVICE_SECRETS: JSON.stringify({ 'work-platform': hashed }) }
  const issuer = new StandInIssuer()
  const app = createApp(loadConfig(configSchema, environment), issuer)
  const { url } = await app.listen({ port: 0 })
  await app.start()
  const ask = (method: string, path: string, headers = {}) => fetch(url + path, { method, headers })

  const scope = { scope: 'memory.read', sid: 's1', act: { sub: 'gateway' } }
  const bearer = { Authorization: `Bearer ${issuer.userToken('u1', { aud: 'notes', ...scope })}` }
  expect(await (await ask('GET', '/v1/notes', bearer)).json()).toEqual({
    owner: 'u1',
    throughServices: ['gateway'],
  })
  expect((await ask('GET', '/v1/notes')).status).toBe(401)
  expect((await ask('DELETE', '/v1/notes', bearer)).status).toBe(403)
  expect((await ask('POST', '/v1/notes/links', bearer)).status).toBe(200)
  expect((await ask('GET', '/v1/motd')).status).toBe(200)

  const apiKey = { 'X-API-Key': issuer.apiKey('u1', 'key1') }
  expect((await ask('POST', '/v1/notes/links', apiKey)).status).toBe(403)
  expect((await ask('GET', '/v1/notes', { ...apiKey, ...bearer })).status).toBe(400)

  const bySecret = { Authorization: `Bearer ${secret}`, 'X-Service-Name': 'work-platform' }
  expect(await (await ask('POST', '/v1/imports', bySecret)).json()).toEqual({ via: 'service-secret' })
  expect((await ask('POST', '/v1/imports', { ...bySecret, 'X-Service-Name': 'docling' })).status).toBe(401)
  expect((await ask('DELETE', '/v1/notes', bySecret)).status).toBe(403)
  expect(requestContext()).toBeUndefined()
  await app.close()
})

test('the README names every variable with its default and its meaning', () => {
  const text = README.replace(/ +/g, ' ')
  for (const [name, type] of Object.entries<z.ZodType>(authEnv)) {
    const { data } = type.safeParse(undefined) as { data?: string | number }
    const usual = data === undefined ? '' : ` \`${data}\``
    expect(text).toContain(`| \`${name}\` |${usual} | ${type.description ?? '?'} |`)
  }
})
