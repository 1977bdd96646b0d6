import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { ATTRIBUTE, GEN_AI, GEN_AI_METRIC, METRIC, SPAN } from '../src/index.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const NAMES = 'packages/telemetry/src/names.ts'
const sources = globSync(['apps/*/src/**/*.ts', 'packages/*/src/**/*.ts'], { cwd: ROOT }).filter(
  (path) => path !== NAMES,
)

/** Where a name could be given as text instead of coming from names.ts. */
const BY_TEXT = [
  /\b(?:withSpan|countEvent|startSpan|startActiveSpan|setAttribute|addEvent|updateName)\(\s*['"`]/,
  /\bsetAttributes\(\s*\{[^}]*?(?:^|[{,\s])(?:['"`][^'"`]*['"`]|\w+)\s*:/,
  /\bwithSpan\([^,]+,\s*\{[^}]*?['"`][\w.]+['"`]\s*:/,
  /\.createCounter\(\s*['"`](?!waybill\.)/,
  /\.createHistogram\(\s*['"`]/,
]

describe('names of spans and attributes', () => {
  test('stand in names.ts and nowhere else', () => {
    expect(sources.length).toBeGreaterThan(50)
    const offending = sources.filter((path) => {
      const source = readFileSync(`${ROOT}/${path}`, 'utf8')
      return BY_TEXT.some((pattern) => pattern.test(source))
    })
    expect(offending).toEqual([])
  })

  test.each([
    "withSpan('my.span', {}, work)",
    'span.setAttribute("user", id)',
    "span.setAttributes({ 'user': id })",
    'span.setAttributes({ user: id })',
    "withSpan(SPAN.exchange, { 'user': id }, work)",
    'tracer.startActiveSpan(`x`, work)',
    "meter.createHistogram('x')",
  ])('the rule sees through %s', (source) => {
    expect(BY_TEXT.some((pattern) => pattern.test(source))).toBe(true)
  })

  test('are used: a name that nothing sets is not documented as if it were', () => {
    const all = sources.map((path) => readFileSync(`${ROOT}/${path}`, 'utf8')).join('\n')
    const unused = [
      ...Object.keys(ATTRIBUTE).map((name) => `ATTRIBUTE.${name}`),
      ...Object.keys(SPAN).map((name) => `SPAN.${name}`),
      ...Object.keys(METRIC).map((name) => `METRIC.${name}`),
      ...Object.keys(GEN_AI).map((name) => `GEN_AI.${name}`),
      ...Object.keys(GEN_AI_METRIC).map((name) => `GEN_AI_METRIC.${name}`),
    ].filter((name) => !all.includes(name))
    expect(unused).toEqual([])
  })

  test('follow the semantic conventions, or begin with waybill.', () => {
    const conventions = [
      ...['db.collection.name', 'db.operation.name', 'db.system.name', 'error.type', 'url.path'],
      ...['rpc.system', 'rpc.service', 'rpc.method', 'rpc.grpc.status_code'],
    ]
    const own = Object.values(ATTRIBUTE).filter((name) => !name.startsWith('waybill.'))
    expect(conventions).toEqual(expect.arrayContaining(own))
    for (const name of Object.values(GEN_AI)) expect(name).toMatch(/^(?:gen_ai\.[a-z_.]+|server\.[a-z]+)$/)
    for (const name of Object.values(GEN_AI_METRIC)) expect(name).toMatch(/^gen_ai\.client\.[a-z_.]+$/)
    for (const name of Object.values(SPAN)) expect(name).toMatch(/^[a-z_]+\.[a-z_]+$/)
  })

  test('are each given once', () => {
    const all = [ATTRIBUTE, GEN_AI, GEN_AI_METRIC, SPAN, METRIC].flatMap((names) =>
      Object.values<string>(names),
    )
    expect(new Set(all).size).toBe(all.length)
  })
})
