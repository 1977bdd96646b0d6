import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { ConfigError, loadConfig, Secret } from '@waybill/service-kit'
import type { z } from 'zod'
import { beforeAll, describe, expect, it } from 'vitest'
import { describeApps } from '../src/docs/apps.ts'
import type { DescribedApp } from '../src/docs/apps.ts'

/** Long enough, and known to everybody: from documentation, templates and examples. */
const PUBLISHED = [
  'your-very-secure-secret-key-change-this',
  'change-me-change-me-change-me-change-me',
  'CHANGEME_CHANGEME_CHANGEME_CHANGEME_1234',
  'your-256-bit-secret-your-256-bit-secret',
  'example-secret-example-secret-example-1',
  'my-jwt-secret-key-for-the-whole-platform',
  'password-password-password-password-1234',
  'default-default-default-default-default',
  'test-secret-test-secret-test-secret-test',
  'a'.repeat(64),
  '0'.repeat(64),
]
const SHORT = ['x', 'hunter2', randomBytes(20).toString('base64')]

/** The variables of an app that hold a secret and are judged as one; a URL's password is its server's matter. */
function secretVariables({ schema }: DescribedApp): string[] {
  const good = randomBytes(32).toString('base64')
  return Object.entries(schema.shape).flatMap(([variable, field]) => {
    const parsed: unknown = (field as z.ZodType).safeParse(good).data // all that a shape may hold
    return parsed instanceof Secret && !variable.endsWith('_URL') ? [variable] : []
  })
}

function problemsOf({ schema }: DescribedApp, variable: string, value: string): ConfigError {
  try {
    loadConfig(schema, { NODE_ENV: 'production', [variable]: value })
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  return expect.fail(`${variable} is taken`)
}

let apps: DescribedApp[]
beforeAll(async () => (apps = await describeApps()))

describe('in production a secret that everybody can know stops the start', () => {
  it('for each secret of each service, by name and without its value', () => {
    for (const app of apps) {
      for (const variable of secretVariables(app)) {
        for (const value of [...PUBLISHED, ...SHORT]) {
          const { problems, message } = problemsOf(app, variable, value)
          const named = problems.some((problem) => problem.variable === variable)
          expect([app.name, variable, value, named]).toEqual([app.name, variable, value, true])
          if (value.length > 1) expect(message).not.toContain(value)
        }
      }
    }
  })

  it('every service has secrets to be judged', () => {
    const having = apps.filter((app) => secretVariables(app).length > 0).map(({ name }) => name)
    expect(having.length, JSON.stringify(having)).toBeGreaterThanOrEqual(6)
    expect(apps.flatMap(secretVariables)).toEqual(
      expect.arrayContaining(['SERVICE_SECRET', 'SIGNING_KEY_ENCRYPTION_KEY', 'JWT_SECRET']),
    )
  })

  it('and a random one does not', () => {
    for (const app of apps) {
      for (const variable of secretVariables(app)) {
        const good = randomBytes(32).toString('base64')
        const complaints = (() => {
          try {
            loadConfig(app.schema, { NODE_ENV: 'production', [variable]: good })
            return []
          } catch (error) {
            return (error as ConfigError).problems.map((problem) => problem.variable)
          }
        })()
        expect([app.name, complaints.filter((name) => name === variable)]).toEqual([app.name, []])
      }
    }
  })

  it.each(['auth-service', 'data_store'])(
    '%s ends with a code and names the variable, not the value',
    async (name) => {
      const [value] = PUBLISHED
      const cwd = fileURLToPath(new URL(`../../../apps/${name}/`, import.meta.url))
      const env = { PATH: process.env.PATH, NODE_ENV: 'production', SERVICE_SECRET: value, JWT_SECRET: value }
      const child = spawn(process.execPath, ['src/main.ts'], { cwd, env })
      const [stdout, stderr, [code]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close'),
      ])
      expect(code).not.toBe(0)
      expect(stdout + stderr).toContain('JWT_SECRET: is a default or published secret')
      expect(stdout + stderr).not.toContain(value)
    },
  )
})
