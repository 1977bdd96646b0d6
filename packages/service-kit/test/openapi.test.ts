import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { route } from '../src/index.ts'
import { openApiDocument } from '../src/openapi.ts'
import { anybody, ask, stand, writer } from './stand.ts'

const after = z.string().optional().describe('The last of the page before')
const page = z.object({ limit: z.coerce.number().int().max(100).default(20), after })
const ROUTES = [
  route('GET', '/v1/:backend/things', {
    auth: writer,
    summary: 'List things',
    input: { params: z.object({ backend: z.enum(['a', 'b']) }), query: page },
    output: z.object({ items: z.array(z.object({ id: z.string() })) }),
    problems: ['not_found', 'rate_limited'],
    handle: () => ({ items: [] }),
  }),
  route('POST', '/v1/:backend/things', {
    auth: writer,
    summary: 'Create a thing',
    input: {
      params: z.object({ backend: z.string() }),
      body: z.object({ at: z.iso.datetime().transform(String) }),
    },
    status: 201,
    handle: () => undefined,
  }),
  route('PUT', '/v1/:backend/things/:id', {
    auth: writer,
    summary: 'Put a thing in its place',
    input: { params: z.object({ backend: z.string(), id: z.string() }), body: z.object({ n: z.number() }) },
    output: z.object({ n: z.number() }),
    describes: { mediaTypes: ['application/merge-patch+json'], otherwise: { 201: 'It was not there' } },
    handle: () => ({ n: 1 }),
  }),
  route('ALL', '/files/*path', {
    auth: writer,
    summary: 'Files',
    bodyType: 'stream',
    handle: () => undefined,
  }),
  route('POST', '/forms', {
    auth: anybody,
    summary: 'A form that the handler reads',
    bodyType: 'stream',
    describes: {
      form: z.object({ token: z.string() }),
      schemes: ['basic', 'mutualTLS'],
      requestHeaders: { 'If-Match': 'The version that is meant' },
    },
    handle: () => undefined,
  }),
  route('GET', '/.well-known/keys.json', { auth: anybody, summary: 'Keys', handle: () => ({}) }),
]

interface Operation {
  operationId: string
  security: Record<string, string[]>[]
  parameters: { name: string; in: string; required: boolean; schema: unknown }[]
  requestBody?: { required: boolean; content: Record<string, { schema: unknown }> }
  responses: Record<string, { description: string; content?: Record<string, unknown> }>
  'x-waybill-guard': { open: boolean }
}
interface Document {
  openapi: string
  info: { title: string; version: string }
  paths: Record<string, Record<string, Operation>>
  components: { securitySchemes: Record<string, { type: string }>; schemas: Record<string, unknown> }
}

/** What is made of these routes. */
const described = (...given: Parameters<typeof openApiDocument>): Document =>
  openApiDocument(...given) as unknown as Document // its form is what the tests are about

async function documentOf(): Promise<Document> {
  await using here = await stand(ROUTES)
  return (await ask(`${here.url}/openapi.json`)).body as unknown as Document // its form is what the tests are about
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']

describe('the OpenAPI document', () => {
  test('has the form that OpenAPI 3.1 asks for', async () => {
    const document = await documentOf()
    expect(document.openapi).toMatch(/^3\.1\.\d+$/)
    expect(document.info).toMatchObject({ title: 'stand', version: '0.1.0' })
    const ids: string[] = []
    for (const [path, item] of Object.entries(document.paths)) {
      expect(path).toMatch(/^\/[^:*]*$/)
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      for (const [method, operation] of Object.entries(item)) {
        expect(METHODS).toContain(method)
        ids.push(operation.operationId)
        const declared = operation.parameters.filter((parameter) => parameter.in === 'path')
        expect(declared.map(({ name }) => name)).toEqual(inPath)
        expect(declared.every(({ required }) => required)).toBe(true)
        const names = operation.parameters.map((parameter) => `${parameter.in}:${parameter.name}`)
        expect(new Set(names).size).toBe(names.length)
        expect(operation.parameters.every(({ schema }) => typeof schema === 'object')).toBe(true)
        expect(Object.keys(operation.responses).length).toBeGreaterThan(0)
        for (const [status, response] of Object.entries(operation.responses)) {
          expect(status).toMatch(/^[1-5]\d\d$/)
          expect(response.description).not.toBe('')
        }
        for (const requirement of operation.security) {
          for (const scheme of Object.keys(requirement)) {
            expect(document.components.securitySchemes).toHaveProperty(scheme)
          }
        }
      }
    }
    expect(new Set(ids).size).toBe(ids.length)
    for (const [, target] of JSON.stringify(document).matchAll(/"\$ref":"#([^"]*)"/g)) {
      expect(document).toHaveProperty(target!.split('/').slice(1))
    }
  })

  test('says of every guarded route who may use it, and of an open one that nobody is asked', async () => {
    const { paths } = await documentOf()
    expect(paths['/v1/{backend}/things']?.get?.security).toEqual([
      { bearer: ['things.write'] },
      { apiKey: [] },
    ])
    expect(paths['/.well-known/keys.json']?.get?.security).toEqual([])
    const guarded = Object.values(paths).flatMap((item) => Object.values(item))
    for (const operation of guarded) {
      const { open: isOpen } = operation['x-waybill-guard']
      expect(Object.hasOwn(operation.responses, '401')).toBe(!isOpen)
      expect(Object.hasOwn(operation.responses, '403')).toBe(!isOpen)
    }
  })

  test('tells what a route reads by itself: a form, headers, and who authenticates in other ways', async () => {
    const { paths } = await documentOf()
    const form = paths['/forms']?.post
    expect(form?.parameters).toMatchObject([{ name: 'If-Match', in: 'header', required: false }])
    expect(form?.security).toEqual([{ basic: [] }, { mutualTLS: [] }])
    expect(form?.requestBody?.content).toMatchObject({
      'application/x-www-form-urlencoded': { schema: { required: ['token'] } },
    })
  })

  test('tells further places of a credential, only those there are, and what an answer is beside what its schema says', () => {
    const document = described({ name: 'x', version: '1' }, [
      route('POST', '/models', {
        summary: 'Whole, or as a stream',
        auth: writer,
        output: z.object({ n: z.number() }),
        describes: { schemes: ['googleApiKey', 'keyParameter'], answers: ['text/event-stream'] },
        handle: () => ({ n: 1 }),
      }),
    ])
    const { security, responses } = document.paths['/models']!.post!
    expect(security).toEqual([
      ...[{ bearer: ['things.write'] }, { apiKey: [] }, { googleApiKey: [] }, { keyParameter: [] }],
    ])
    expect(document.components.securitySchemes).toMatchObject({
      googleApiKey: { type: 'apiKey', in: 'header', name: 'x-goog-api-key' },
      keyParameter: { type: 'apiKey', in: 'query', name: 'key' },
    })
    expect(document.components.securitySchemes).not.toHaveProperty('azureApiKey')
    expect(Object.keys(responses['200']!.content!)).toEqual(['text/event-stream', 'application/json'])
  })

  test('tells the shape of errors on the paths of other protocols, headers that say something, and bodies that may be missing', () => {
    const loginOnly = { ...writer, apiKeys: false }
    const document = described({ name: 'x', version: '1', throttled: true }, [
      route('POST', '/oauth/token', {
        summary: 'Another protocol',
        auth: anybody,
        problems: ['bad_request'],
        describes: { headers: { 'X-User-ID': 'The user' } },
        renderProblem: ({ title }) => ({ error: title }),
        handle: () => ({}),
      }),
      route('POST', '/keys', {
        summary: 'For people',
        auth: loginOnly,
        input: { body: z.object({ days: z.number().default(1) }) },
        handle: () => ({}),
      }),
    ])
    const { responses } = document.paths['/oauth/token']!.post!
    expect(Object.keys(responses['400']!.content ?? {})).toEqual(['application/json'])
    expect(responses['200']).toMatchObject({ headers: { 'X-User-ID': { description: 'The user' } } })
    const keys = document.paths['/keys']!.post!
    expect(keys.requestBody?.required).toBe(false)
    expect(keys.security).toEqual([{ bearer: ['things.write'] }])
    for (const { responses: told } of [keys, document.paths['/oauth/token']!.post!])
      expect(told).toHaveProperty('429')
  })

  test('tells bodies, answers and errors that are passed on unchecked, of which more members are no fault', () => {
    const error = { name: 'Fault', schema: z.object({ fault: z.string() }) }
    const document = described({ name: 'x', version: '1' }, [
      route('ALL', '/elsewhere/*path', {
        summary: 'Passed on',
        auth: anybody,
        describes: { body: z.object({ n: z.number() }), output: z.object({ m: z.number() }), error },
        problems: ['not_found'],
        renderProblem: ({ title }) => ({ fault: title }),
        handle: () => ({}),
      }),
    ])
    const { get, post, delete: remove } = document.paths['/elsewhere/{path}']!
    expect(post?.requestBody).toMatchObject({
      ...{ required: true, content: { 'application/json': { schema: { required: ['n'] } } } },
    })
    expect([get?.requestBody, remove?.requestBody]).toEqual([undefined, undefined])
    const answer = { type: 'object', properties: { m: { type: 'number' } }, required: ['m'] }
    expect(post?.responses['200']?.content).toEqual({ 'application/json': { schema: answer } })
    const fault = { $ref: '#/components/schemas/Fault' }
    expect(post?.responses['404']?.content).toEqual({ 'application/json': { schema: fault } })
    expect(document.components.schemas.Fault).toMatchObject({ required: ['fault'] })
  })

  test('tells what may be left out of a request and what an answer always has', async () => {
    const { paths } = await documentOf()
    const { get, post } = paths['/v1/{backend}/things']!
    expect(get?.parameters.filter((parameter) => parameter.in === 'query')).toMatchObject([
      { name: 'limit', required: false },
      { name: 'after', required: false },
    ])
    expect(Object.keys(get?.responses ?? {}).sort()).toEqual([
      '200',
      '400',
      '401',
      '403',
      '404',
      '429',
      '500',
      '503',
      '504',
    ])
    expect(get?.parameters.find(({ name }) => name === 'after')).toEqual({
      ...{ name: 'after', in: 'query', required: false },
      ...{ description: 'The last of the page before', schema: { type: 'string' } },
    })
    expect(post?.requestBody?.content['application/json']?.schema).toMatchObject({ required: ['at'] })
    expect(post?.responses).toHaveProperty('201')
  })

  test('tells what a body may be refused for, what else it may be, and which other success there is', async () => {
    const { paths } = await documentOf()
    const put = paths['/v1/{backend}/things/{id}']?.put
    expect(Object.keys(put?.requestBody?.content ?? {})).toEqual([
      'application/json',
      'application/merge-patch+json',
    ])
    expect(put?.responses['201']).toEqual({ ...put?.responses['200'], description: 'It was not there' })
    for (const status of ['400', '413', '415']) expect(put?.responses).toHaveProperty(status)
    const stream = paths['/forms']?.post?.responses
    expect(stream).toHaveProperty('413')
    expect(stream).not.toHaveProperty('415')
    expect(paths['/v1/{backend}/things']?.get?.responses).not.toHaveProperty('413')
  })

  test('names every method of a route that takes all of them', async () => {
    const { paths } = await documentOf()
    expect(Object.keys(paths['/files/{path}'] ?? {})).toEqual(['get', 'post', 'put', 'patch', 'delete'])
  })
})

describe('/docs', () => {
  test('needs nothing from elsewhere: every asset is served here', async () => {
    await using here = await stand(ROUTES)
    const response = await fetch(`${here.url}/docs`)
    const html = await response.text()
    expect(response.headers.get('content-security-policy')).toContain("default-src 'self'")
    expect(html).not.toMatch(/https?:\/\//)
    const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!)
    expect(assets.length).toBeGreaterThan(2)
    for (const path of assets) {
      const asset = await fetch(here.url + path)
      expect([path, asset.status]).toEqual([path, 200])
      expect((await asset.arrayBuffer()).byteLength).toBeGreaterThan(0)
    }
  })

  test('does not serve what is not an asset', async () => {
    await using here = await stand(ROUTES)
    expect((await fetch(`${here.url}/docs/%2e%2e/package.json`)).status).not.toBe(200)
    expect((await fetch(`${here.url}/docs/nothing.js`)).status).toBe(404)
  })
})

describe('/metrics', () => {
  test('is Prometheus text, and says so when telemetry is not registered', async () => {
    await using here = await stand(ROUTES)
    const response = await fetch(`${here.url}/metrics`)
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(await response.text()).toContain('# telemetry is not registered')
  })
})
