import { STATUS_CODES } from 'node:http'
import { z } from 'zod'
import { bodyTypeOf } from './body.ts'
import type { Guard } from './guard.ts'
import { PROBLEMS } from './problem.ts'
import type { ProblemCode } from './problem.ts'
import { methodsOf } from './route.ts'
import type { Route, SecurityScheme } from './route.ts'

type Json = Record<string, unknown>

export interface DescribedService {
  name: string
  version: string
  /** Whether calls are counted, so that any of them may be one too many. */
  throttled?: boolean
}

/** The OpenAPI 3.1 document of a service, made from the same routes that it serves. */
export function openApiDocument(service: DescribedService, routes: readonly Route[]): Json {
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    const path = route.path.replace(/[:*](\w+)/g, '{$1}')
    for (const method of methodsOf(route).map((one) => one.toLowerCase())) {
      paths[path] = { ...paths[path], [method]: operation(route, path, method, service.throttled ?? false) }
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: service.name,
      version: service.version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      securitySchemes: schemesOf(routes),
      schemas: { Problem: problemSchema, ...errorSchemas(routes) },
    },
  }
}

function operation(route: Route, path: string, method: string, throttled: boolean): Json {
  const limited = throttled ? (['rate_limited'] as const) : []
  const codes = [...new Set([...usualProblems(route), ...(route.problems ?? []), ...limited, ...ANYWHERE])]
  return {
    operationId: `${method}${path.replace(/[^A-Za-z0-9]+(\w?)/g, (_, next: string) => next.toUpperCase())}`,
    summary: route.summary,
    description: `For ${route.auth.description}.`,
    security: security(route),
    parameters: [
      ...parameters(route, 'params', 'path', path),
      ...parameters(route, 'query', 'query', path),
      ...headerParameters(route),
    ],
    ...requestBody(route, method),
    responses: { ...successResponses(route), ...problemResponses(route, codes) },
    'x-waybill-guard': guardNote(route.auth),
  }
}

/** Any one of them will do: users come with a token or an API key, services with a token or their certificate. */
function security({ auth, describes }: Route): Partial<Record<SecurityScheme, readonly string[]>>[] {
  const further = (describes?.schemes ?? []).map((scheme) => ({ [scheme]: [] }))
  if (auth.open) return further
  return [
    { bearer: auth.permissions },
    ...(auth.kinds.includes('user') && auth.apiKeys !== false ? [{ apiKey: [] }] : []),
    ...(auth.kinds.includes('service') ? [{ mutualTLS: [] }] : []),
    ...further,
  ]
}

/** Those that any of the routes speaks of. */
function schemesOf(routes: readonly Route[]): Json {
  const used = new Set(routes.flatMap(security).flatMap(Object.keys))
  return Object.fromEntries(Object.entries(SECURITY_SCHEMES).filter(([name]) => used.has(name)))
}

function guardNote(guard: Guard): Json {
  return { open: guard.open, kinds: guard.kinds, permissions: guard.permissions, services: guard.services }
}

/** What can go wrong with any credential; 503 while what was revoked is not known, or the issuer cannot be asked. */
const GUARDED = [
  'ambiguous_credentials',
  'unauthenticated',
  'insufficient_permission',
  'unavailable',
] as const

/** What nobody foresaw, and REQUEST_TIMEOUT_MS. */
const ANYWHERE = ['internal', 'timeout'] as const

/** What bodyReader() throws. */
const OF_A_BODY = ['payload_too_large'] as const
const OF_JSON = [...OF_A_BODY, 'invalid_json', 'unsupported_media_type'] as const

function usualProblems(route: Route): ProblemCode[] {
  const type = bodyTypeOf(route)
  return [
    ...(route.auth.open ? [] : GUARDED),
    ...(Object.values(route.input).some(Boolean) ? (['validation_failed'] as const) : []),
    ...(type === undefined ? [] : type === 'json' ? OF_JSON : OF_A_BODY),
  ]
}

/** The usual answer, and those in its place that the route describes: all with the same body and headers. */
function successResponses(route: Route): Json {
  const usual = STATUS_CODES[route.status] ?? 'Success'
  const described = Object.entries({ [route.status]: usual, ...route.describes?.otherwise })
  const responses = described.map(([status, description]) => [
    status,
    {
      description,
      ...responseHeaders(route),
      ...answerContent(route),
    },
  ])
  return Object.fromEntries(responses) as Json
}

function answerContent({ output, describes }: Route): Json {
  const schema = output ? jsonSchema(output, 'output') : describes?.output && asItComes(describes.output)
  const described = schema && { 'application/json': { schema } }
  const others = (describes?.answers ?? []).map((type) => [type, {}])
  const content = { ...(Object.fromEntries(others) as Json), ...described }
  return Object.keys(content).length === 0 ? {} : { content }
}

function responseHeaders({ describes }: Route): Json {
  const described = Object.entries(describes?.headers ?? {})
  if (described.length === 0) return {}
  const headers = described.map(([name, description]) => [name, { description, schema: { type: 'string' } }])
  return { headers: Object.fromEntries(headers) as Json }
}

/** Those that any of the routes describes, by name. */
function errorSchemas(routes: readonly Route[]): Json {
  const errors = routes.flatMap(({ describes }) => describes?.error ?? [])
  return Object.fromEntries(errors.map(({ name, schema }) => [name, asItComes(schema)]))
}

/** A problem document, or an object in the shape of the protocol whose path it is. */
function errorContent({ renderProblem, describes }: Route): Json {
  if (!renderProblem) return { 'application/problem+json': { schema: named('Problem') } }
  return {
    'application/json': { schema: describes?.error ? named(describes.error.name) : { type: 'object' } },
  }
}

function named(schema: string): Json {
  return { $ref: `#/components/schemas/${schema}` }
}

function problemResponses(route: Route, codes: readonly ProblemCode[]): Json {
  const content = errorContent(route)
  const byStatus = Map.groupBy(codes, (code) => PROBLEMS[code][0])
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => PROBLEMS[code][1]).join('; '),
        content,
      },
    ]),
  )
}

function parameters(route: Route, part: 'params' | 'query', where: 'path' | 'query', path: string): Json[] {
  const schema = route.input[part] ? jsonSchema(route.input[part], 'input') : {}
  const properties = (schema.properties ?? {}) as Record<string, Json>
  const required = new Set((schema.required ?? []) as string[])
  const names =
    part === 'params'
      ? [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '')
      : Object.keys(properties)
  return names.map((name) => {
    const { description, ...described } = properties[name] ?? { type: 'string' }
    return {
      name,
      in: where,
      required: part === 'params' || required.has(name),
      ...(description !== undefined && { description }),
      schema: described,
    }
  })
}

function headerParameters({ describes }: Route): Json[] {
  return Object.entries(describes?.requestHeaders ?? {}).map(([name, description]) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  }))
}

/** Of all methods of a route only these have a body that means something (RFC 9110, 9.3). */
const WITH_BODY = new Set(['post', 'put', 'patch'])

function requestBody(route: Route, method: string): Json {
  const json = route.bodyType === 'multipart' ? 'multipart/form-data' : 'application/json'
  const form = route.describes?.form
  const schema = form ?? route.input.body ?? route.describes?.body
  if (!schema || (methodsOf(route).length > 1 && !WITH_BODY.has(method))) return {}
  const type = form ? 'application/x-www-form-urlencoded' : json
  // No body reads as an empty object.
  const required = !schema.safeParse({}).success
  const described = { schema: jsonSchema(schema, 'input') }
  const content = [type, ...(route.describes?.mediaTypes ?? [])].map((one) => [one, described])
  return { requestBody: { required, content: Object.fromEntries(content) as Json } }
}

/** Members that a schema does not name are taken away by a check of the answer only: without one they may be there. */
function asItComes(schema: z.ZodType): Json {
  return jsonSchema(schema, 'input')
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json
  return rest
}

const SECURITY_SCHEMES: Record<SecurityScheme, Json> = {
  bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
  mutualTLS: { type: 'mutualTLS', description: 'A client certificate with the SPIFFE id of a service' },
  basic: {
    type: 'http',
    scheme: 'basic',
    description: 'An OAuth client: the name and the secret of a service',
  },
  googleApiKey: sdkKey('header', 'x-goog-api-key', "Google's"),
  azureApiKey: sdkKey('header', 'api-key', "Azure's"),
  keyParameter: sdkKey('query', 'key', "Google's of old"),
}

function sdkKey(where: 'header' | 'query', name: string, whose: string): Json {
  const description = `A token or an API key of this platform, where SDKs put ${whose}`
  return { type: 'apiKey', in: where, name, description }
}

const problemSchema = {
  type: 'object',
  description: 'RFC 9457 problem details',
  required: ['type', 'title', 'status', 'detail', 'code', 'error', 'request_id'],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { enum: Object.keys(PROBLEMS) },
    error: { type: 'string', description: 'The title again, for clients that read only this' },
    request_id: { type: 'string' },
    trace_id: { type: 'string' },
  },
}
