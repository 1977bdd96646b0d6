import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { clientEnv } from '../src/index.ts'
import { reporter } from './examples/report.ts'
import { client, issuer, recorder, serving, thrown } from './stand.ts'

const file = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const README = file('../README.md')

test('the example of the README is the one that is compiled and run here', async () => {
  expect(README).toContain(file('examples/report.ts'))
  const auth = await issuer()
  const store = await recorder((_request, res) => res.end('{"id":"7","name":"crate"}'))
  const http = client({ AUTH_SERVICE_URL: auth.url })
  const report = reporter(http, store.url, store.url)
  expect(await serving(() => report.nameOf('7'))).toBe('crate')
  expect(store.requests[0]?.headers).toMatchObject({ 'x-user-id': 'ann', 'x-request-id': 'journey-1' })
  expect(await thrown(serving(() => report.publish('key', 'text')))).toMatchObject({ code: 'bad_request' })
  await http.close()
  await Promise.all([auth.close(), store.close()])
})

test('the README names every variable with its default and its meaning', () => {
  const text = README.replace(/ +/g, ' ')
  for (const [name, type] of Object.entries<z.ZodType>(clientEnv)) {
    const { success, data } = type.safeParse(undefined)
    const value = String(data)
    const shown = success ? value && ` \`${value}\`` : ' required'
    expect(text).toContain(`| \`${name}\` |${shown} | ${type.description ?? '?'} |`)
  }
})
