import { randomBytes } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { runTraced } from './fixtures/run-traced.ts'

/** Of no form that the log would redact. */
const CANARY = `canary${randomBytes(12).toString('hex')}`
const LAST_FOUR = CANARY.slice(-4)

const told = z.object({
  answers: z.array(z.string()),
  tables: z.array(z.string()),
  logged: z.string(),
  seen: z.array(z.string()),
  audit: z.array(z.object({ action: z.string(), outcome: z.string() })),
  used: z.number(),
  quoted: z.number(),
})
let spans = ''
let all: z.output<typeof told>

beforeAll(async () => {
  const ran = await runTraced(new URL('fixtures/keys-traced.ts', import.meta.url), [CANARY])
  spans = ran.spans
  all = told.parse(JSON.parse(ran.stdout))
}, 60_000)

/** The whole key, a good part of it, and it in the ways that bytes are written. */
const FORMS = [CANARY, CANARY.slice(4, 16), Buffer.from(CANARY).toString('hex'), Buffer.from(CANARY).toString('base64').slice(0, 16)] // prettier-ignore

function traceOf(text: string): string[] {
  return FORMS.filter((form) => text.toLowerCase().includes(form.toLowerCase()))
}

test('the key went to the provider, where it belongs: what is looked at below could hold it', () => {
  expect(all.used).toBe(200)
  expect(all.quoted).toBe(401)
  expect(all.answers.join()).toContain(`Bearer ${'*'.repeat(CANARY.length)}`)
  expect(all.seen).toContain(`Bearer ${CANARY}`)
  expect(all.seen).toContain(`Bearer ${CANARY}-second`)
  expect(traceOf(all.seen.join()), 'what the search finds').toContain(CANARY)
  expect(all.logged).toContain('does not open')
  expect(all.answers.join()).toContain(LAST_FOUR)
  expect(spans).toContain('/keys/:id/rotate')
  expect(all.tables.join()).toMatch(/provider_keys: \(/)
})

test('no answer holds the key, whatever was wrong with the request', () => {
  expect(all.answers.filter((answer) => traceOf(answer).length > 0)).toEqual([])
})

test('no column of any table holds the key', () => {
  expect(all.tables.filter((rows) => traceOf(rows).length > 0)).toEqual([])
})

test('neither the log nor a span holds the key', () => {
  expect(all.logged.split('\n').filter((line) => traceOf(line).length > 0)).toEqual([])
  expect(traceOf(spans)).toEqual([])
})

test('the audit has what was done, and what was refused', () => {
  const rows = all.audit.map(({ action, outcome }) => `${action} ${outcome}`)
  for (const row of [
    'add success',
    'check failure',
    'check success',
    'rename success',
    'rotate success',
    'delete success',
  ])
    expect(rows).toContain(`provider_key.${row}`)
})
