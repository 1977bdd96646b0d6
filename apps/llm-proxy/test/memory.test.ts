import { Problem } from '@waybill/service-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Provider } from '../src/provider.ts'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

const WAYBILL = {
  name: 'waybill-2026-117.pdf',
  text: 'unused where there is Markdown',
  markdown: [
    '# Waybill 2026-117',
    'The consignor is Maas Optics of Rotterdam, the consignee Donau Glas in Vienna.',
    '## Insurance',
    'The goods are insured for 48,000 euros. Claims must be made within seven days of delivery.',
    '## Handling',
    'Keep the crates dry. Do not stack more than three.',
  ].join('\n\n'),
}
const QUESTION = 'How much are the goods insured for?'

const ENVIRONMENT = { WRITE_BATCH_SIZE: '2', EMBED_BATCH_SIZE: '2', CLIENT_TIMEOUT_MS: '1500' }

/** A provider whose second call fails. */
function tired(): Provider {
  let calls = 0
  const never = () => Promise.reject(new Error('never asked'))
  return {
    name: 'tired',
    models: [{ id: 'tired/embedding', kind: 'embedding', created: 0 }],
    chat: () => {
      throw new Error('never asked')
    },
    summarize: never,
    answer: never,
    embed({ texts }) {
      calls += 1
      if (calls === 2)
        return Promise.reject(new Problem('upstream_failed', 'tired/embedding has no more to give.'))
      return Promise.resolve(texts.map(() => [1, 0]))
    },
  }
}

let setting: Setting
beforeAll(async () => {
  setting = await startSetting(ENVIRONMENT)
})
beforeEach(() => {
  setting.authService.exchanges.length = 0
  Object.assign(setting.dataStore, { records: [], seen: [], fault: undefined })
})
afterAll(() => setting.close())

const index = (document: object = WAYBILL, as = 'alice', collection?: string) =>
  setting.post('/execute', { operation: 'index', input: { document, ...(collection && { collection }) } }, as)
const ask = (question = QUESTION, as = 'alice', more: object = {}) =>
  setting.post('/execute', { operation: 'answer', input: { question, ...more } }, as)

describe('index', () => {
  it('keeps one record per passage in lancedb and one of the document in postgres', async () => {
    const { status, body } = await index()
    expect(status).toBe(200)
    expect(body).toEqual({
      document_id: expect.any(String),
      collection: 'memory',
      chunks: 3,
      tokens: expect.any(Number),
    })
    const passages = setting.dataStore.records.filter(({ backend }) => backend === 'lancedb')
    expect(passages.map(({ collection, owner }) => [collection, owner])).toEqual(
      Array.from({ length: 3 }, () => ['memory', 'alice']),
    )
    const insurance = passages.find(({ data }) => String(data.text).includes('48,000'))!
    expect(insurance.id).toBe(`${body.document_id}.1`)
    expect(insurance.data).toMatchObject({
      document_id: body.document_id,
      document: WAYBILL.name,
      position: 1,
      text: expect.stringMatching(/^# Waybill 2026-117 › Insurance\n\nThe goods/),
    })
    expect(insurance.data.vector).toHaveLength(256)
    expect(passages.reduce((sum, { data }) => sum + Number(data.tokens), 0)).toBe(body.tokens)
    const [document] = setting.dataStore.records.filter(({ backend }) => backend === 'postgres')
    expect(document).toMatchObject({
      id: body.document_id,
      collection: 'documents',
      owner: 'alice',
      data: { name: WAYBILL.name, collection: 'memory', chunks: 3, tokens: body.tokens },
    })
  })

  it('calls data_store on the behalf of the user, with the whole waybill', async () => {
    const { headers } = await index()
    expect(setting.authService.exchanges).toEqual([
      { client: 'llm-proxy', audience: 'data_store', subject: 'alice' },
    ])
    expect(setting.dataStore.seen).toHaveLength(3)
    for (const request of setting.dataStore.seen) {
      expect(request).toMatchObject({ userId: 'alice', actors: ['llm-proxy', 'gateway'] })
      expect(request.headers).toMatchObject({
        'x-user-id': 'alice',
        'x-tenant-id': '',
        'x-service-name': 'llm-proxy',
        'x-request-id': headers['x-request-id'],
      })
      expect(request.headers.cookie).toBeUndefined()
    }
  })

  it('writes the passages as many at a time as it may, and the document last: only then do they count', async () => {
    await index()
    expect(setting.dataStore.seen.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /v1/lancedb/collections/memory/records/bulk',
      'POST /v1/lancedb/collections/memory/records/bulk',
      'POST /v1/postgres/collections/documents/records',
    ])
    expect(setting.dataStore.records.map(({ data }) => data.position)).toEqual([0, 1, 2, undefined])
  })

  it('writes no more bytes at a time than it may', async () => {
    const own = await startSetting({ WRITE_BATCH_BYTES: '5000' })
    await own.post('/execute', { operation: 'index', input: { document: WAYBILL } })
    const bulks = own.dataStore.seen.filter(({ path }) => path.endsWith('/bulk'))
    expect(bulks.length).toBeGreaterThan(1)
    for (const { headers } of bulks) expect(Number(headers['content-length'])).toBeLessThan(5000)
    await own.close()
  })

  it('keeps the text in the collection that is asked for', async () => {
    const { body } = await index({ name: 'note.txt', text: 'The goods are insured.' }, 'alice', 'notes')
    expect(body).toMatchObject({ collection: 'notes', chunks: 1 })
    expect(setting.dataStore.records[0]).toMatchObject({ collection: 'notes' })
  })

  it.each([
    ['of status 500', 500, 502, 'upstream_failed', 3],
    ['of status 503', 503, 503, 'unavailable', 3],
    ['of the connection', 'cut', 503, 'unavailable', 3],
    ['of the connection, when all is written', 'lost', 503, 'unavailable', 3],
    ['to answer at all', 'hang', 504, 'timeout', 3],
    // What data_store has refused was not written: only the passages before it are deleted.
    ['of status 403', 403, 403, 'forbidden', 2],
    ['of status 409', 409, 409, 'conflict', 2],
  ] as const)(
    'leaves nothing behind after a failure midway %s',
    async (_, fault, status, code, deletions) => {
      setting.dataStore.fault = ({ method }, nth) => (method === 'POST' && nth === 2 ? fault : undefined)
      const answer = await index()
      expect(answer.status).toBe(status)
      expect(answer.body).toMatchObject({ code, status, request_id: answer.headers['x-request-id'] })
      if (status === 503) expect(answer.headers['retry-after']).toMatch(/^\d+$/)
      expect(setting.dataStore.records).toEqual([])
      const deleted = setting.dataStore.seen.filter(({ method }) => method === 'DELETE')
      expect(deleted).toHaveLength(deletions)
    },
  )

  it.each([
    [500, 502],
    ['lost', 503],
  ] as const)(
    'leaves nothing behind when the document itself cannot be written: %s',
    async (fault, status) => {
      setting.dataStore.fault = ({ method, path }) =>
        method === 'POST' && path.includes('/postgres/') ? fault : undefined
      expect((await index()).status).toBe(status)
      expect(setting.dataStore.records).toEqual([])
    },
  )

  it('deletes nothing when the very first write is refused: there is nothing', async () => {
    setting.dataStore.fault = () => 403
    expect((await index()).status).toBe(403)
    expect(setting.dataStore.seen.map(({ method }) => method)).toEqual(['POST'])
  })

  it('writes nothing before every passage is embedded', async () => {
    const own = await startSetting({ ...ENVIRONMENT, DEFAULT_EMBEDDING_MODEL: 'tired/embedding' }, [tired()])
    const answer = await own.post('/execute', { operation: 'index', input: { document: WAYBILL } })
    expect(answer.status).toBe(502)
    expect(own.dataStore.seen).toEqual([])
    await own.close()
  })

  it('leaves nothing that is ever answered from, even when it cannot be deleted', async () => {
    setting.dataStore.fault = ({ method }, nth) =>
      method === 'DELETE' || (method === 'POST' && nth === 2) ? 500 : undefined
    expect((await index()).status).toBe(502)
    expect(setting.dataStore.records.length).toBeGreaterThan(0)
    expect(setting.logged()).toContain('could not be deleted')
    setting.dataStore.fault = undefined
    expect((await ask()).body).toMatchObject({ answer: null, passages: [] })
  })

  it('stops and leaves nothing behind when the client goes away', async () => {
    const own = await startSetting(ENVIRONMENT)
    const abort = new AbortController()
    own.dataStore.fault = ({ method }, nth) => {
      if (method === 'POST' && nth === 1) abort.abort()
      return undefined
    }
    const body = { operation: 'index', input: { document: WAYBILL } }
    await expect(own.stream('/execute', body, abort.signal)).rejects.toThrow()
    await own.close()
    expect(own.dataStore.records).toEqual([])
    expect(own.dataStore.seen.some(({ path }) => path.includes('/postgres/'))).toBe(false)
  })

  it('answers 503 with Retry-After when data_store is not there, and 503 when auth-service is not', async () => {
    const own = await startSetting()
    const request = { operation: 'index', input: { document: WAYBILL } }
    await own.dataStore.close()
    const withoutStore = await own.post('/execute', request)
    expect(withoutStore.status).toBe(503)
    expect(withoutStore.headers['retry-after']).toBeDefined()
    await own.authService.close()
    expect((await own.post('/execute', request)).status).toBe(503)
    await own.close()
  })

  it('refuses a document without text, or with too many passages, before anything is written', async () => {
    expect((await index({ name: 'empty.md', text: '---' })).body).toMatchObject({ code: 'unprocessable' })
    const own = await startSetting({ MAX_PASSAGES: '2' })
    const answer = await own.post('/execute', { operation: 'index', input: { document: WAYBILL } })
    expect(answer.status).toBe(413)
    expect(answer.body.detail).toContain('MAX_PASSAGES')
    expect([...setting.dataStore.seen, ...own.dataStore.seen]).toEqual([])
    await own.close()
  })
})

describe('answer', () => {
  it('is the sentence that says it, with the passage that it comes from', async () => {
    const { body: indexed } = await index()
    const { status, body } = await ask()
    expect(status).toBe(200)
    expect(body.answer).toContain('48,000 euros')
    expect(body.model).toBe('local/extractive')
    expect(body.passages[0]).toEqual({
      text: expect.stringContaining('insured for 48,000 euros'),
      document: WAYBILL.name,
      document_id: indexed.document_id,
      position: 1,
      score: expect.any(Number),
    })
    expect(body.passages[0].score).toBeGreaterThan(0.5)
    expect(body.passages[0].score).toBeLessThanOrEqual(1)
  })

  it('is null when nothing in the memory speaks of it', async () => {
    await index()
    expect((await ask('What is the capital of France?')).body).toEqual({
      answer: null,
      passages: [],
      model: 'local/extractive',
    })
  })

  it("is never taken from another user's memory", async () => {
    await index()
    expect((await ask(QUESTION, 'bob')).body).toMatchObject({ answer: null, passages: [] })
    expect(setting.dataStore.seen.at(-1)).toMatchObject({ userId: 'bob', actors: ['llm-proxy', 'gateway'] })
  })

  it('gives no more passages than asked for, from the collection asked for', async () => {
    await index(WAYBILL, 'alice', 'contracts')
    const question = 'Which goods are insured, and within how many days of delivery must claims be made?'
    expect((await ask(question)).body.passages).toEqual([])
    const { body } = await ask(question, 'alice', { collection: 'contracts', limit: 1 })
    expect(body.passages).toHaveLength(1)
  })

  it('is not taken from a document that was deleted', async () => {
    const { body } = await index()
    const other = { name: 'other.md', text: 'The goods are insured by Noord Marine.' }
    await index(other)
    const records = setting.dataStore.records
    records.splice(
      records.findIndex(({ id }) => id === body.document_id),
      1,
    )
    const answer = await ask()
    expect(answer.body.answer).toBe(other.text)
    expect(answer.body.passages).toMatchObject([{ document: 'other.md' }])
  })

  it('leaves records of the collection that are no passages alone', async () => {
    const vector = Array.from({ length: 256 }, () => 1 / 16)
    const data = { note: 'The goods are insured for nothing.', vector }
    setting.dataStore.records.push({
      backend: 'lancedb',
      collection: 'memory',
      owner: 'alice',
      id: 'x',
      data,
    })
    expect((await ask()).body).toMatchObject({ answer: null })
  })

  it.each([
    [500, 502],
    [503, 503],
    ['cut', 503],
    ['hang', 504],
  ] as const)('says so when data_store fails (%s): %d, never an empty answer', async (fault, status) => {
    await index()
    setting.dataStore.fault = () => fault
    expect((await ask()).status).toBe(status)
  })
})
