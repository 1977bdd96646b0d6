import { readFileSync } from 'node:fs'
import { authService, dataStore, llmProxy } from '@waybill/contracts'
import type { Endpoint } from '@waybill/contracts'
import { describe, expect, inject, it } from 'vitest'
import { fill, parseHttpFile } from '../src/http-file.ts'
import type { HttpExample } from '../src/http-file.ts'

const { services, accounts, serviceSecrets } = inject('platform')
const admin = accounts.find(({ role }) => role === 'admin')!
const user = accounts.find(({ role }) => role === 'user')!
const fresh = `http-file-${crypto.randomUUID().slice(0, 8)}`
const common = [
  ['auth', services['auth-service']],
  ['gateway', services.gateway],
  ['adminUsername', admin.username],
  ['adminPassword', admin.password],
] as const

/** A file of docs/http, the endpoints that it must have, and what stands in the place of its variables here. */
const FILES = [
  {
    file: 'auth.http',
    contract: authService,
    variables: [
      ['username', fresh],
      ['serviceSecret', serviceSecrets.docling],
    ],
  },
  {
    file: 'data_store.http',
    contract: dataStore,
    variables: [
      ['data', `${services.gateway}/data`],
      ['username', user.username],
      ['password', user.password],
      ['collection', fresh],
    ],
  },
  {
    file: 'llm-proxy.http',
    contract: llmProxy,
    variables: [
      ['username', user.username],
      ['password', user.password],
    ],
  },
] satisfies { file: string; contract: object; variables: (readonly [string, string])[] }[]

async function run(examples: readonly HttpExample[], values: Map<string, string>): Promise<void> {
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
}

function isEndpoint(value: unknown): value is Endpoint {
  return typeof value === 'object' && value !== null && 'method' in value && 'service' in value
}

describe.each(FILES)('docs/http/$file', ({ file, contract, variables: ours }) => {
  const text = readFileSync(new URL(`../../../docs/http/${file}`, import.meta.url), 'utf8')
  const { variables, examples } = parseHttpFile(text)

  it('runs from top to bottom', async () => {
    await run(examples, new Map([...variables, ...common, ...ours]))
  })

  it('has every endpoint of the service', () => {
    const shown = examples.map(
      ({ method, url }) => `${method} ${url.replace(/^\{\{\w+\}\}/, '').replace(/\?.*$/, '')}`,
    )
    const pattern = ({ method, path }: Endpoint): RegExp =>
      new RegExp(`^${method} ${path.replaceAll(/:\w+/g, '[^/]+').replaceAll(/\*\w+/g, '.+')}$`)
    const missing = Object.values<unknown>(contract)
      .filter(isEndpoint)
      .filter((endpoint) => !shown.some((line) => pattern(endpoint).test(line)))
    expect(missing.map(({ method, path }) => `${method} ${path}`)).toEqual([])
  })
})
