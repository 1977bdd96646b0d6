import { authService, dataStore } from '@waybill/contracts'
import { describe, expect, inject, it } from 'vitest'
import { missingEndpoints, readHttpFile, runExamples } from '../src/run-http-file.ts'

// llm-proxy.http, which asks vendors, is in llm-docs.test.ts.

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
] satisfies { file: string; contract: Record<string, unknown>; variables: (readonly [string, string])[] }[]

describe.each(FILES)('docs/http/$file', ({ file, contract, variables: ours }) => {
  const { variables, examples } = readHttpFile(file)

  it('runs from top to bottom', async () => {
    await runExamples(examples, new Map([...variables, ...common, ...ours]))
  })

  it('has every endpoint of the service', () => {
    expect(missingEndpoints(contract, examples)).toEqual([])
  })
})
