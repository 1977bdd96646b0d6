import { randomBytes } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { runTraced } from './fixtures/run-traced.ts'

// BerriAI/litellm#906, #8075, #20288, #32202: a key, or the caller's own credential, that turns up where nobody meant it to.

/** Of no form that the log would redact. Their last four are no secret: the mock upstream tells those that it saw. */
const random = () => randomBytes(14).toString('hex')
const CANARY = `canary${random()}-0001`
const OTHER = `canary${random()}-0002`

const told = z.object({
  answers: z.array(z.string()),
  statuses: z.record(z.string(), z.number()),
  logged: z.string(),
  seen: z.array(z.string()),
  token: z.string(),
})
let spans = ''
let all: z.output<typeof told>

beforeAll(async () => {
  const ran = await runTraced(new URL('fixtures/faults-traced.ts', import.meta.url), [CANARY, OTHER])
  spans = ran.spans
  all = told.parse(JSON.parse(ran.stdout))
}, 120_000)

/** The whole of a secret, a good part of it, and it in the ways that bytes are written. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret)
  return [secret.slice(6, 22), bytes.toString('hex'), bytes.toString('base64').slice(0, 24)]
}
const holds = (text: string, secret: string) =>
  formsOf(secret).some((form) => text.toLowerCase().includes(form.toLowerCase()))

test('the keys and the faults were really there: what is looked at below could hold them', () => {
  expect(all.seen.filter((request) => holds(request, CANARY)).length).toBeGreaterThan(300)
  expect(Object.keys(all.statuses)).toEqual(
    expect.arrayContaining(['200', '400', '401', '403', '429', '500', '502', '504', '529']),
  )
  expect(all.logged.split('\n').length).toBeGreaterThan(300)
  expect(spans).toContain('gen_ai.request.model')
})

test('no answer of any route holds a key, whatever went wrong', () => {
  expect(all.answers.filter((answer) => holds(answer, CANARY) || holds(answer, OTHER))).toEqual([])
})

test('neither the log nor a span holds a key or the credential of the caller', () => {
  const signature = all.token.split('.')[2] ?? ''
  expect(signature.length).toBeGreaterThan(40)
  for (const secret of [CANARY, OTHER, signature]) {
    expect(all.logged.split('\n').filter((line) => holds(line, secret))).toEqual([])
    expect(holds(spans, secret)).toBe(false)
  }
})

test('neither the log nor a span holds what was said', () => {
  expect(all.logged).not.toContain('Good morning')
  expect(spans).not.toContain('Good morning')
})

test('no vendor got the credential of the caller, an identity, a trace or a cookie', () => {
  const signature = all.token.split('.')[2] ?? ''
  expect(all.seen.filter((request) => holds(request, signature))).toEqual([])
  expect(
    all.seen.filter((request) => /\b(traceparent|baggage|x-user-id|x-request-id|cookie)\b/i.test(request)),
  ).toEqual([])
})
