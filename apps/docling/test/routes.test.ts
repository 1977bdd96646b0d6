import { request as httpRequest } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { json } from 'node:stream/consumers'
import { createTestIssuer } from '@waybill/dev-env/testing'
import type { TestIssuer } from '@waybill/dev-env/testing'
import { loadConfig } from '@waybill/service-kit'
import type { Service } from '@waybill/service-kit'
import request from 'supertest'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createApp } from '../src/app.ts'
import { configSchema } from '../src/config.ts'
import { createWorkerPool } from '../src/worker-pool.ts'
import type { WorkerPool } from '../src/worker-pool.ts'
import { makeDocx, makeManual } from './documents.ts'
import { startNeighbours } from './neighbours.ts'

const FILE = '/v1/convert/file'
const SOURCE = '/v1/convert/source'
const MAX_FILE_BYTES = 300_000
const ENDLESS = Buffer.from(`${'- '.repeat(40_000)}x`)

let issuer: TestIssuer
let neighbours: Awaited<ReturnType<typeof startNeighbours>>
let pool: WorkerPool
let service: Service
let bearer: string

const tokenFor = async (userId: string, options = {}) =>
  `Bearer ${await issuer.userToken(userId, { audience: 'docling', actors: ['gateway'], ...options })}`

const configure = (environment: NodeJS.ProcessEnv = {}) =>
  loadConfig(configSchema, {
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    SERVICE_SECRET: 'docling-secret-for-its-own-tests-only',
    AUTH_SERVICE_URL: neighbours.url,
    LLM_PROXY_URL: neighbours.url,
    DOCLING_MAX_FILE_BYTES: String(MAX_FILE_BYTES),
    ...environment,
  })

beforeAll(async () => {
  issuer = await createTestIssuer()
  neighbours = await startNeighbours()
  pool = createWorkerPool({
    workers: 1,
    queue: 1,
    placesPerUser: 2,
    jobsPerWorker: 50,
    memoryMb: 512,
    timeoutMs: 20_000,
  })
  service = createApp(configure(), { issuer: issuer.issuer, pool: watched(pool) })
  await service.start()
  bearer = await tokenFor('ada')
})
afterAll(async () => {
  await service.close()
  await neighbours.close()
})
beforeEach(() => neighbours.reset())

let onConversion: ((ended: Promise<unknown>) => void) | undefined
/** The pool as the service has it, with a window: resolves when the next conversion has begun. */
const watched = (inner: WorkerPool): WorkerPool => ({
  admit: (userId) => inner.admit(userId),
  close: () => inner.close(),
  get pids() {
    return inner.pids
  },
  convert(job, signal) {
    const converted = inner.convert(job, signal)
    onConversion?.(Promise.allSettled([converted]).then(([outcome]) => outcome))
    return converted
  },
})
const watchNextConversion = () =>
  new Promise<{ ended: Promise<unknown> }>((resolve) => {
    onConversion = (ended) => resolve({ ended })
  })

const upload = (name: string, content: Buffer | string, fields: Record<string, string | string[]> = {}) => {
  const sent = request(service.app).post(FILE).set('Authorization', bearer).set('X-Request-ID', 'req-7')
  for (const [field, value] of Object.entries(fields)) void sent.field(field, value)
  return sent.attach('files', Buffer.from(content), { filename: name })
}
const sources = (body: object) => request(service.app).post(SOURCE).set('Authorization', bearer).send(body)
const postSource = (body: string, type = 'application/json') =>
  request(service.app).post(SOURCE).set('Authorization', bearer).set('Content-Type', type).send(body)

const FORM_HEAD = '--b\r\nContent-Disposition: form-data; name="files"; filename="a.md"\r\n\r\n'
/** Sends the start of a body and leaves it at that. */
const beginUpload = (url: string, type = 'multipart/form-data; boundary=b', start = FORM_HEAD) => {
  const client = httpRequest(url, {
    method: 'POST',
    headers: { Authorization: bearer, 'Content-Type': type },
  })
  const answered = new Promise<{ status?: number; headers: IncomingHttpHeaders; body: unknown }>((resolve) =>
    client.once('response', (res) => {
      void json(res).then((body) => resolve({ status: res.statusCode, headers: res.headers, body }))
    }),
  )
  client.on('error', () => undefined)
  client.write(start)
  return { client, answered }
}
const source = (filename: string, content: Buffer | string) => ({
  kind: 'file',
  filename,
  base64_string: Buffer.from(content).toString('base64'),
})

describe('POST /v1/convert/file', () => {
  test('a PDF and a DOCX come back as Markdown, in the shape of docling-serve', async () => {
    const pdf = await upload('manual.pdf', await makeManual()).expect(200)
    expect(pdf.headers['x-request-id']).toBe('req-7')
    expect(pdf.body).toEqual({
      document: {
        filename: 'manual.pdf',
        md_content: expect.stringMatching(/^# Harbour Manual/),
        text_content: null,
        json_content: null,
        html_content: null,
        doctags_content: null,
      },
      status: 'success',
      errors: [],
      processing_time: expect.any(Number),
      timings: {},
      waybill: { title: 'Harbour Manual', pages: 1, warnings: [] },
    })
    const docx = await upload('report.docx', await makeDocx(), { to_formats: ['md', 'text'] }).expect(200)
    expect(docx.body.document).toMatchObject({
      md_content: expect.stringContaining('carried **forty** crates'),
      text_content: expect.stringContaining('carried forty crates'),
    })
    expect(neighbours.calls).toEqual([])
  })

  test('the file name keeps its letters and loses its path', async () => {
    const { body } = await upload('/home/ada/Bericht März.md', '# x').expect(200)
    expect(body.document.filename).toBe('Bericht März.md')
  })

  test('options that docling-serve has and this service has not are ignored', async () => {
    await upload('a.md', 'x', { do_ocr: 'true', image_export_mode: 'placeholder', pdf_backend: 'x' }).expect(
      200,
    )
  })

  test('index: llm-proxy keeps the document on behalf of the user, and says what it kept', async () => {
    const { body } = await upload('a.md', '# Ships\n\nfloat', {
      index: 'true',
      collection: 'harbour',
    }).expect(200)
    expect(body.waybill).toEqual({
      title: 'Ships',
      pages: null,
      warnings: [],
      tokens: 12,
      chunks: 1,
      collection: 'harbour',
      document_id: 'doc-1',
    })
    const [exchange] = neighbours.to('/oauth/token')
    const form = new URLSearchParams(exchange!.body)
    expect(form.get('audience')).toBe('llm-proxy')
    expect(`Bearer ${String(form.get('subject_token'))}`).toBe(bearer)
    const [call] = neighbours.to('/execute')
    expect(JSON.parse(call!.body)).toEqual({
      operation: 'index',
      input: {
        document: { name: 'a.md', text: 'Ships\n\nfloat', markdown: '# Ships\n\nfloat' },
        collection: 'harbour',
      },
    })
    expect(call!.headers).toMatchObject({
      authorization: 'Bearer for-llm-proxy',
      'x-user-id': 'ada',
      'x-service-name': 'docling',
      'x-request-id': 'req-7',
    })
  })

  test('tokens: llm-proxy counts them', async () => {
    const { body } = await upload('a.md', 'one two three', { tokens: 'true' }).expect(200)
    expect(body.waybill.tokens).toBe(3)
    expect(neighbours.to('/execute')).toEqual([])
  })

  test("what llm-proxy refuses is refused here, with llm-proxy's reason", async () => {
    neighbours.failWith({ status: 403, code: 'insufficient_permission', detail: 'memory.write is missing.' })
    const { body } = await upload('a.md', 'x', { index: 'true' }).expect(403)
    expect(body).toMatchObject({ detail: 'memory.write is missing.', request_id: 'req-7' })
    neighbours.failWith({ status: 503, code: 'unavailable', detail: 'down' })
    const busy = await upload('a.md', 'x', { index: 'true' }).expect(503)
    expect(busy.headers['retry-after']).toBeDefined()
  })

  test('a user_id is accepted only if it is the caller', async () => {
    await upload('a.md', 'x', { user_id: 'ada' }).expect(200)
    const { body } = await upload('a.md', 'x', { user_id: 'eve' }).expect(403)
    expect(body.code).toBe('forbidden')
  })

  test.each([
    ['broken.pdf', '%PDF-1.7 cut', 'broken.pdf is damaged: it cannot be read as a PDF.', 'broken'],
    ['a.pdf', 'words', 'a.pdf is named as .pdf but its content is plain text.', 'format_mismatch'],
    ['a.xyz', 'words', 'a.xyz has the extension .xyz, which is not supported', 'unsupported_format'],
    ['a.csv', '', 'a.csv is empty (0 bytes).', 'empty'],
  ])('%s is a problem that names the document and the reason', async (name, content, detail, reason) => {
    const answer = await upload(name, content, { index: 'true' }).expect(422)
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.body).toMatchObject({
      code: 'unprocessable',
      status: 422,
      detail: expect.stringContaining(detail),
      reason,
      document: name,
      request_id: 'req-7',
    })
    expect(neighbours.calls).toEqual([])
  })

  test('what is not supported is refused with 422, by name', async () => {
    const details = [
      await upload('a.md', 'x', { to_formats: ['md', 'doctags'] }).expect(422),
      await upload('a.md', 'x', { target_type: 'zip' }).expect(422),
      await upload('a.md', 'x', { collection: 'Not A Name' }).expect(422),
      await upload('a.md', 'x', { index: 'perhaps' }).expect(422),
      await upload('a.md', 'x').attach('files', Buffer.from('y'), 'b.md').expect(422),
      await request(service.app)
        .post(FILE)
        .set('Authorization', bearer)
        .attach('file', Buffer.from('y'), 'b.md')
        .expect(422),
      await request(service.app)
        .post(FILE)
        .set('Authorization', bearer)
        .field('to_formats', 'md')
        .expect(422),
    ].map((answer) => String(answer.body.detail))
    expect(details).toEqual([
      expect.stringContaining('"doctags"'),
      expect.stringContaining('"zip"'),
      expect.stringContaining('collection'),
      expect.stringContaining('index'),
      expect.stringContaining('one document per request'),
      expect.stringContaining('part named files'),
      expect.stringContaining('no document'),
    ])
  })

  test('a form that is none, or ends too soon, is refused', async () => {
    const post = () => request(service.app).post(FILE).set('Authorization', bearer)
    await post().send({ files: 'x' }).expect(415)
    await post().set('Content-Type', 'multipart/form-data').send('x').expect(400)
    const cut = '--b\r\nContent-Disposition: form-data; name="files"; filename="a.md"\r\n\r\nhalf'
    await post().set('Content-Type', 'multipart/form-data; boundary=b').send(cut).expect(400)
  })

  test('a document above the limit is 413, and the limit is named', async () => {
    const { body } = await upload('a.md', 'x'.repeat(MAX_FILE_BYTES + 1)).expect(413)
    expect(body).toMatchObject({
      code: 'payload_too_large',
      detail: expect.stringContaining(String(MAX_FILE_BYTES)),
    })
    await upload('a.md', 'x'.repeat(MAX_FILE_BYTES)).expect(200)
  })
})

describe('POST /v1/convert/source', () => {
  test('a document in base64 is converted', async () => {
    const { body } = await sources({
      options: { to_formats: ['text'] },
      sources: [source('a.csv', 'x,y\n1,2\n')],
    }).expect(200)
    expect(body.document).toMatchObject({ filename: 'a.csv', md_content: null, text_content: 'x\ty\n1\t2' })
  })

  test('addresses are never fetched, several documents and other targets are refused', async () => {
    const answers = [
      await sources({ sources: [{ kind: 'http', url: `${neighbours.url}/secret` }] }).expect(422),
      await sources({ sources: [source('a.md', 'x'), source('b.md', 'y')] }).expect(422),
      await sources({ sources: [source('a.md', 'x')], target: { kind: 'presigned_url' } }).expect(422),
      await sources({ sources: [source('a.md', 'x')], options: { user_id: 'eve' } }).expect(403),
      await sources({ sources: [source('a.md', 'x'.repeat(MAX_FILE_BYTES + 1))] }).expect(413),
      await sources({ sources: [{ kind: 'file', filename: 'a.md', base64_string: '***' }] }).expect(400),
    ].map((answer) => String(answer.body.detail))
    expect(answers.slice(0, 3)).toEqual([
      expect.stringContaining('not enabled'),
      expect.stringContaining('one document per request'),
      expect.stringContaining('artifact storage to be configured'),
    ])
    expect(neighbours.calls).toEqual([])
  })
})

describe('the body of /v1/convert/source, which is read after a place is taken', () => {
  test('what is no JSON, of another type, compressed or not of the form is refused as everywhere', async () => {
    expect((await postSource('{"sources": [').expect(400)).body).toMatchObject({ code: 'invalid_json' })
    await postSource('sources=x', 'application/x-www-form-urlencoded').expect(415)
    await postSource('{}').set('Content-Encoding', 'gzip').expect(415)
    for (const body of ['', '{}']) {
      expect((await postSource(body).expect(400)).body).toMatchObject({
        code: 'validation_failed',
        errors: [{ in: 'body', path: 'sources' }],
      })
    }
  })

  test('one that grows beyond its limit without having said so is 413', async () => {
    const { url } = await service.listen({ port: 0, host: '127.0.0.1' })
    const { client, answered } = beginUpload(
      `${url}${SOURCE}`,
      'application/json',
      ' '.repeat(MAX_FILE_BYTES * 2 + 1024 ** 2),
    )
    expect(await answered).toMatchObject({ status: 413, body: { code: 'payload_too_large' } })
    client.destroy()
  })

  test('it is documented all the same', async () => {
    const { body } = await request(service.app).get('/openapi.json').expect(200)
    const { schema } = body.paths[SOURCE].post.requestBody.content['application/json']
    expect(schema).toMatchObject({ type: 'object', required: ['sources'] })
  })
})

describe('who may convert', () => {
  test('nobody without a token, not for another audience, not without tasks.create', async () => {
    const post = (path: string, authorization?: string) => {
      const sent = request(service.app).post(path)
      return authorization === undefined ? sent : sent.set('Authorization', authorization)
    }
    for (const path of [FILE, SOURCE]) {
      await post(path).expect(401)
      await post(path, await tokenFor('ada', { audience: 'llm-proxy' })).expect(401)
      await post(path, await tokenFor('ada', { scope: 'tasks.read', role: 'viewer' })).expect(403)
      await post(path, `Bearer ${await issuer.serviceToken('gateway', { audience: 'docling' })}`).expect(403)
    }
  })

  test('health and version are open', async () => {
    expect((await request(service.app).get('/health').expect(200)).body).toEqual({ status: 'ok' })
    expect((await request(service.app).get('/version').expect(200)).body).toEqual({ docling: '0.1.0' })
  })
})

describe('under load', () => {
  afterEach(() => neighbours.reset())

  test('when all places are taken the answer is 503 with Retry-After, before anything is read', async () => {
    const places = [pool.admit('bob'), pool.admit('eve')]
    for (const answer of [
      await upload('a.md', 'x').expect(503),
      await sources({ sources: [source('a.md', 'x')] }).expect(503),
      await postSource('no JSON').expect(503),
    ]) {
      expect(answer.headers['retry-after']).toBe('2')
      expect(answer.body.code).toBe('unavailable')
    }
    for (const place of places) place.leave()
    await upload('a.md', 'x').expect(200)
  })

  test('a user who has their share of places is 429 with Retry-After, and nobody else is', async () => {
    const strict = createApp(configure({ DOCLING_PLACES_PER_USER: '1' }), { issuer: issuer.issuer })
    await strict.start()
    const { url } = await strict.listen({ port: 0, host: '127.0.0.1' })
    const refusalOf = async (uploads: ReturnType<typeof beginUpload>[]) =>
      Promise.race(uploads.map(({ answered }) => answered))
    const refused = {
      status: 429,
      headers: { 'retry-after': '2' },
      body: { code: 'rate_limited', detail: expect.stringContaining('DOCLING_PLACES_PER_USER') },
    }
    // One of the two takes the place and waits for the rest of its form: whichever is answered came second.
    const forms = [beginUpload(`${url}${FILE}`), beginUpload(`${url}${FILE}`)]
    expect(await refusalOf(forms)).toMatchObject(refused)
    const source = beginUpload(`${url}${SOURCE}`, 'application/json', '{"sources": [')
    expect(await refusalOf([source])).toMatchObject(refused)
    await request(strict.app)
      .post(FILE)
      .set('Authorization', await tokenFor('bob'))
      .attach('files', Buffer.from('x'), 'a.md')
      .expect(200)
    for (const { client } of [...forms, source]) client.destroy()
    await strict.close()
  })

  test.each([
    [FILE, 'multipart/form-data; boundary=b', FORM_HEAD],
    [SOURCE, 'application/json', '{"sources": ['],
  ])(
    'an upload to %s that does not arrive in time is 504, and its place is free again',
    async (path, type, start) => {
      const hasty = createApp(
        configure({ DOCLING_UPLOAD_TIMEOUT_MS: '1000', DOCLING_PLACES_PER_USER: '1' }),
        {
          issuer: issuer.issuer,
        },
      )
      await hasty.start()
      const { url } = await hasty.listen({ port: 0, host: '127.0.0.1' })
      const { client, answered } = beginUpload(`${url}${path}`, type, start)
      const { status, headers, body } = await answered
      expect(status).toBe(504)
      expect(headers.connection).toBe('close')
      expect(body).toMatchObject({ code: 'timeout', detail: expect.stringContaining('1000 ms') })
      await request(hasty.app)
        .post(FILE)
        .set('Authorization', bearer)
        .attach('files', Buffer.from('x'), 'a.md')
        .expect(200)
      client.destroy()
      await hasty.close()
    },
  )

  test('unless set otherwise, indexing may take nearly as long as the request', () => {
    const { CLIENT_TIMEOUT_MS, REQUEST_TIMEOUT_MS } = configure()
    expect([CLIENT_TIMEOUT_MS, REQUEST_TIMEOUT_MS]).toEqual([100_000, 110_000])
  })

  test('a document that takes too long is 504, naming it and the limit', async () => {
    const hasty = createApp(configure({ DOCLING_CONVERT_TIMEOUT_MS: '500' }), { issuer: issuer.issuer })
    await hasty.start()
    const answer = await request(hasty.app)
      .post(FILE)
      .set('Authorization', bearer)
      .attach('files', ENDLESS, 'endless.md')
      .expect(504)
    expect(answer.body).toMatchObject({
      code: 'timeout',
      detail: 'endless.md was not converted within 500 ms.',
      reason: 'timeout',
    })
    await hasty.close()
  })

  test('a client that goes away takes its conversion along, and the next one is served', async () => {
    const { url } = await service.listen({ port: 0, host: '127.0.0.1' })
    const boundary = 'b'
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="files"; filename="a.md"\r\n\r\n`
    const body = Buffer.concat([Buffer.from(head), ENDLESS, Buffer.from(`\r\n--${boundary}--\r\n`)])
    await upload('warm.md', 'x').expect(200)
    const [busy] = pool.pids
    const nextConversion = watchNextConversion()
    const client = httpRequest(`${url}${FILE}`, {
      method: 'POST',
      headers: { Authorization: bearer, 'Content-Type': `multipart/form-data; boundary=${boundary}` },
    })
    client.on('error', () => undefined)
    client.end(body)
    const { ended } = await nextConversion
    client.destroy()
    expect(await ended).toMatchObject({ status: 'rejected', reason: { code: 'client_closed' } })
    expect(pool.pids).not.toContain(busy)
    await upload('a.md', 'x').expect(200)
  })
})
