import { readFileSync } from 'node:fs'
import { requestContext, serviceEnv } from '@waybill/service-kit'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { authEnv } from '../src/index.ts'
import { createApp } from './examples/notes.ts'
import { CLAIMS, forge, ISSUER, keySource } from './forge.ts'

const file = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const README = file('../README.md')

test('the example of the README is the one that is compiled and run here', async () => {
  expect(README).toContain(file('examples/notes.ts'))
  const config = z
    .object({ ...serviceEnv({ port: 0 }), ...authEnv })
    .parse({ AUTH_ISSUER: ISSUER, LOG_LEVEL: 'silent' })
  const app = createApp(config, await keySource())
  const { url } = await app.listen({ port: 0 })
  await app.start()
  const now = Math.floor(Date.now() / 1000)
  const times = { iat: now, nbf: now, exp: now + 60 }
  const token = forge({ ...CLAIMS, ...times, aud: 'notes', act: { sub: 'gateway' } })
  const ask = (method: string, path: string, headers = {}) => fetch(url + path, { method, headers })
  const bearer = { Authorization: `Bearer ${token}` }
  expect(await (await ask('GET', '/v1/notes', bearer)).json()).toEqual({
    owner: 'u1',
    throughServices: ['gateway'],
  })
  expect((await ask('GET', '/v1/notes')).status).toBe(401)
  expect((await ask('DELETE', '/v1/notes', bearer)).status).toBe(403)
  expect((await ask('GET', '/v1/motd')).status).toBe(200)
  expect(requestContext()).toBeUndefined()
  await app.close()
})

test('the README names every variable with its default and its meaning', () => {
  const text = README.replace(/ +/g, ' ')
  for (const [name, type] of Object.entries<z.ZodType>(authEnv)) {
    expect(text).toContain(
      `| \`${name}\` | \`${String(type.safeParse(undefined).data)}\` | ${type.description ?? '?'} |`,
    )
  }
})
