import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ConfigError, env, loadConfig, serviceEnv } from '../src/index.ts'

const schema = z.object({
  ...serviceEnv({ port: 8004 }),
  DATABASE_URL: env.secret(),
  API_SECRET: env.secret(),
  UPSTREAM_URL: env.url(),
  MODE: env.choice(['fast', 'slow'], 'fast'),
  VERBOSE: env.flag(false),
})
const GOOD = { DATABASE_URL: 'postgresql://u:p@h/d', API_SECRET: 's'.repeat(40), UPSTREAM_URL: 'http://up/' }

function problemsOf(environment: NodeJS.ProcessEnv): Map<string, string> {
  try {
    loadConfig(schema, environment)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return new Map(error.problems.map(({ variable, message }) => [variable, message]))
  }
  return new Map()
}

describe('the configuration', () => {
  test('names every missing and wrong variable at once', () => {
    const problems = problemsOf({ PORT: 'eighty', UPSTREAM_URL: 'ftp://x', MODE: 'medium', VERBOSE: 'yes' })
    expect([...problems.keys()].sort()).toEqual(
      ['API_SECRET', 'DATABASE_URL', 'MODE', 'PORT', 'UPSTREAM_URL', 'VERBOSE'].sort(),
    )
    expect(problems.get('API_SECRET')).toBe('is required')
    expect(problems.get('PORT')).toBe('must be a whole number')
  })

  test('never quotes a value, wrong or right, in any way of printing the error', () => {
    const canary = 'canary-7d1f'
    const environment = {
      ...GOOD,
      NODE_ENV: 'production',
      DATABASE_URL: `postgresql://u:${canary}@h/d`,
      API_SECRET: canary,
      PORT: canary,
      UPSTREAM_URL: `ftp://${canary}`,
      MODE: canary,
      VERBOSE: canary,
      TRUSTED_PROXIES: canary,
      LOG_LEVEL: canary,
    }
    const error = (() => {
      try {
        return loadConfig(schema, environment)
      } catch (thrown) {
        return thrown
      }
    })()
    expect(error).toBeInstanceOf(ConfigError)
    const printed = [
      String(error),
      inspect(error, { depth: 9 }),
      JSON.stringify(error),
      (error as Error).stack,
    ]
    expect(printed.join('\n')).not.toContain(canary)
  })

  test('prints a secret as [redacted] in every way of printing, and gives it only to who asks', () => {
    const config = loadConfig(schema, GOOD)
    const printed = `${inspect(config)} ${JSON.stringify(config)} ${String(config.API_SECRET)}`
    expect(printed).not.toContain('ssss')
    expect(printed).not.toContain('postgresql://')
    expect(config.API_SECRET.reveal()).toBe('s'.repeat(40))
  })

  test('takes an empty variable for an unset one', () => {
    const config = loadConfig(schema, { ...GOOD, PORT: '', MODE: '  ', VERBOSE: '', LOG_LEVEL: '' })
    expect(config).toMatchObject({ PORT: 8004, MODE: 'fast', VERBOSE: false, LOG_LEVEL: 'info' })
    expect(problemsOf({ ...GOOD, API_SECRET: ' ' }).get('API_SECRET')).toBe('is required')
  })

  test.each([
    ['-1', 'must be at least 0'],
    ['65536', 'must be at most 65535'],
    ['99999999999999999999', 'must be at most 65535'],
    ['1e3', 'must be a whole number'],
    ['0x10', 'must be a whole number'],
    ['8.5', 'must be a whole number'],
  ])('refuses %j as a port', (PORT, message) => {
    expect(problemsOf({ ...GOOD, PORT }).get('PORT')).toBe(message)
  })

  test('takes the slash off the end of a URL, so that paths can be put behind it', () => {
    expect(loadConfig(schema, GOOD).UPSTREAM_URL).toBe('http://up')
  })
})

describe('in production', () => {
  const production = { ...GOOD, NODE_ENV: 'production', API_SECRET: 'kJ8s-2mVq9Lw4Zx7Tn1Rb6Yd3Hf5Gc0Pa' }

  test('a long random secret is accepted', () => {
    expect(problemsOf(production)).toEqual(new Map())
  })

  test.each([
    ['short', 'is shorter than 32 bytes'],
    ['your-secret-key-change-this-in-production', 'is a default or published secret'],
    ['CHANGEME-CHANGEME-CHANGEME-CHANGEME', 'is a default or published secret'],
    ['0'.repeat(64), 'is a default or published secret'],
    ['password-password-password-password', 'is a default or published secret'],
  ])('the secret %j refuses to start', (API_SECRET, message) => {
    expect(problemsOf({ ...production, API_SECRET }).get('API_SECRET')).toBe(message)
  })

  test('a bad secret is named together with the other problems', () => {
    const problems = problemsOf({ ...production, API_SECRET: 'short', PORT: 'eighty' })
    expect([...problems.keys()].sort()).toEqual(['API_SECRET', 'PORT'])
  })

  test('white space around NODE_ENV does not switch the check off', () => {
    expect(problemsOf({ ...production, NODE_ENV: 'production ', API_SECRET: 'short' }).size).toBe(1)
  })

  test('elsewhere a short secret will do', () => {
    expect(problemsOf({ ...production, NODE_ENV: 'development', API_SECRET: 'short' }).size).toBe(0)
  })
})

describe('TRUSTED_PROXIES', () => {
  test.each(['10.0.0.0/8', '127.0.0.1', '::1', 'fd00::/8', '10.0.0.0/8, 192.168.1.1,', ''])(
    'takes %j',
    (value) => {
      expect(problemsOf({ ...GOOD, TRUSTED_PROXIES: value }).size).toBe(0)
    },
  )

  // The last two are what Express itself would throw at, without naming the variable.
  test.each([
    '10.0.0.0/33',
    'proxy.local',
    '10.0.0/8',
    'fd00::/129',
    '10.0.0.0/8/8',
    'true',
    '0.0.0.0/0',
    '::/0',
  ])('refuses %j', (value) => {
    expect(problemsOf({ ...GOOD, TRUSTED_PROXIES: value }).has('TRUSTED_PROXIES')).toBe(true)
  })
})
