import { readFileSync } from 'node:fs'
import { authService } from '@waybill/contracts'
import { expect, inject, it } from 'vitest'
import { fill, parseHttpFile } from '../src/http-file.ts'

const { services, accounts, serviceSecrets } = inject('platform')
const text = readFileSync(new URL('../../../docs/http/auth.http', import.meta.url), 'utf8')
const { variables, examples } = parseHttpFile(text)

it('docs/http/auth.http runs from top to bottom', async () => {
  const admin = accounts.find(({ role }) => role === 'admin')!
  const values = new Map([
    ...variables,
    ['auth', services['auth-service']],
    ['gateway', services.gateway],
    ['username', `http-file-${crypto.randomUUID().slice(0, 8)}`],
    ['adminUsername', admin.username],
    ['adminPassword', admin.password],
    ['serviceSecret', serviceSecrets.docling],
  ])
  for (const { name, title, method, url, headers, body, expect: statuses } of examples) {
    // Editors encode Basic credentials that are written with a colon.
    const filled = Object.entries(headers).map(([header, value]) => {
      const text = fill(value, values)
      const basic = /^Basic ([^:]+:.+)$/.exec(text)?.[1]
      return [header, basic === undefined ? text : `Basic ${Buffer.from(basic).toString('base64')}`]
    })
    const response = await fetch(fill(url, values), {
      method,
      headers: Object.fromEntries(filled),
      ...(body !== undefined && { body: fill(body, values) }),
      redirect: 'error',
    })
    const answer = await response.text()
    expect(statuses, `${title} (${method} ${url}): ${answer.slice(0, 300)}`).toContain(response.status)
    if (name === undefined) continue
    for (const [field, value] of Object.entries(JSON.parse(answer) as Record<string, unknown>)) {
      values.set(`${name}.response.body.${field}`, String(value))
    }
  }
})

it('docs/http/auth.http has every endpoint of auth-service', () => {
  const shown = new Set(
    examples.map(({ method, url }) => `${method} ${url.replace(/^\{\{\w+\}\}/, '').replace(/\?.*$/, '')}`),
  )
  const endpoints = Object.values(authService).filter(
    (value): value is typeof authService.login =>
      typeof value === 'object' && 'method' in value && 'service' in value,
  )
  const pattern = (path: string): RegExp => new RegExp(`^${path.replaceAll(/:\w+/g, '[^/]+')}$`)
  const missing = endpoints.filter(
    ({ method, path }) =>
      ![...shown].some(
        (line) => line.startsWith(`${method} `) && pattern(path).test(line.slice(method.length + 1)),
      ),
  )
  expect(missing.map(({ method, path }) => `${method} ${path}`)).toEqual([])
})
