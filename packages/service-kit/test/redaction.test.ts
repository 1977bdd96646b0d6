import { describe, expect, test } from 'vitest'
import { createLogger, redact } from '../src/index.ts'
import { logSink } from './stand.ts'

const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.Y2FuYXJ5LXNpZ25hdHVyZQ'

/** What one call of the logger writes, as text and as the JSON object that it must still be. */
function logged(...args: [object, string?]): { text: string; line: Record<string, unknown> } {
  const sink = logSink()
  createLogger({ service: 'stand', destination: sink.stream }).info(...args)
  return { text: sink.text(), line: sink.lines()[0]! }
}

describe('a log line holds no credential', () => {
  test.each([
    ['a JWT', JWT],
    ['a JWT whose signature was cut off', JWT.split('.').slice(0, 2).join('.')],
    ['a Waybill API key', 'wb_canary0123456789canary0123456789'],
    ['a refresh token', 'rt_canary0123456789'],
    ['an OpenAI key', 'sk-proj-canary0123456789'],
    ['an Anthropic key', 'sk-ant-api03-canary0123456789'],
    ['a bearer header', 'Bearer canary.0123/456+789=='],
    ['a basic header', 'Basic Y2FuYXJ5OmNhbmFyeQ=='],
    ['the password in a URL', 'postgresql://data_store:canary@db:5432/data_store'],
    ['the password in a URL without a user', 'redis://:canary@cache:6379'],
    ['a secret in a query', 'GET /v1?access_token=canary&x=1'],
    ['a secret in a form', 'grant_type=client_credentials&client_secret=canary'],
  ])('%s, in the message and in a member', (_name, credential) => {
    const { text, line } = logged(
      { note: `before ${credential} after` },
      `sent ${credential} on\n${credential}`,
    )
    expect(text).not.toMatch(/canary|Y2FuYXJ5/)
    expect(line.note).toMatch(/^before .*\[redacted\].* after$/)
  })

  test('members named like secrets, at any depth, whatever their value is made of', () => {
    const { text, line } = logged({
      a: { b: [{ password: 'canary' }, { client_secret: 'canary "quoted" canary' }] },
      headers: {
        authorization: 'canary',
        cookie: 'sid=canary',
        'set-cookie': ['sid=canary; Path=/', 'other=canary]"'],
        'x-api-key': 'canary',
      },
      refreshToken: 'canary',
      apiKey: 'canary',
      private_key: 'canary',
      passphrase: 'canary',
    })
    expect(text).not.toContain('canary')
    expect(line).toMatchObject({ a: { b: [{ password: '[redacted]' }, { client_secret: '[redacted]' }] } })
  })

  test('JSON inside a string', () => {
    const { text, line } = logged({ body: JSON.stringify({ user: 'ann', password: 'canary' }) })
    expect(text).not.toContain('canary')
    expect(line.body).toContain('ann')
  })

  test('an error with a request on it, and its cause', () => {
    const cause = Object.assign(new Error(`upstream said ${JWT}`), {
      config: { headers: { Authorization: `Bearer ${JWT}` }, auth: { password: 'canary' } },
    })
    const error = Object.assign(new Error('failed', { cause }), {
      response: { headers: { cookie: 'canary' } },
    })
    const { text, line } = logged({ err: error }, 'unexpected error')
    expect(text).not.toMatch(/canary|Y2FuYXJ5/)
    expect(line).toMatchObject({ err: { type: 'Error' } })
  })

  test('nor the data that an error of Postgres carries, itself or as a cause', () => {
    const postgres = Object.assign(
      new Error('duplicate key value violates unique constraint "users_email_key"'),
      {
        code: '23505',
        constraint: 'users_email_key',
        table: 'users',
        detail: 'Key (email)=(canary@example.org) already exists.',
        where: 'COPY users, line 1: "canary"',
        internalQuery: "select 'canary'",
        hint: 'canary',
        parameters: ['canary'],
      },
    )
    const named = { code: '23505', constraint: 'users_email_key', table: 'users', message: postgres.message }
    const { text, line } = logged({ err: new Error('outer', { cause: postgres }) })
    expect(logged({ err: postgres }).line.err).toMatchObject({ type: 'Error', ...named })
    expect(line.err).toMatchObject({ message: 'outer', stack: expect.any(String), cause: named })
    const several = logged({ err: new AggregateError([postgres], 'both') })
    expect(several.line.err).toMatchObject({ type: 'AggregateError', errors: [named] })
    expect(text + several.text + logged(postgres).text).not.toContain('canary')
  })

  test('and an error that is its own cause ends somewhere', () => {
    const error = new Error('round')
    error.cause = error
    expect(logged({ err: error }).text.match(/"type":"Error"/g)).toHaveLength(6)
  })

  test('but counts of tokens, ids and ordinary words stay readable', () => {
    const { line } = logged(
      { usage: { total_tokens: 42 }, id: 'task_rt_1', url: 'http://h:80/a@b' },
      'token count',
    )
    expect(line).toMatchObject({
      usage: { total_tokens: 42 },
      id: 'task_rt_1',
      url: 'http://h:80/a@b',
      msg: 'token count',
    })
  })

  test('and a long hostile line does not cost more than in proportion to its length', () => {
    const steps = (text: string): number => {
      const started = process.cpuUsage()
      redact(text)
      const { user, system } = process.cpuUsage(started)
      return user + system
    }
    for (const seed of ['eyJ', '"', '"a', 'Bearer ', '://a:', 'sk-', '"token":[', '&token', '\\"']) {
      steps(seed.repeat(1_000)) // once to compile
      // Quadratic work would be seconds here, however slow the machine; linear work is a few milliseconds.
      expect(steps(seed.repeat(60_000)), seed).toBeLessThan(1_500_000)
    }
  })
})
