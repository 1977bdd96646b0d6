import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { authEnv } from '@waybill/auth'
import { clientEnv } from '@waybill/http-client'
import { serviceEnv, throttleEnv } from '@waybill/service-kit'
import type { z } from 'zod'
import { configSchema } from '../src/config.ts'
import { FRONT_DOORS } from '../src/upstreams.ts'

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8').replace(/ +/g, ' ')

/** What is the same in other services stands in docs/configuration.md; what a service sets anew is its own. */
const ELSEWHERE = new Set<string>(
  Object.keys({ ...serviceEnv({ port: 0 }), ...authEnv, ...clientEnv, ...throttleEnv }),
)
const SET_ANEW = ['REQUEST_TIMEOUT_MS', 'CLIENT_TIMEOUT_MS', 'BODY_LIMIT_BYTES']

test('the README names each of its own variables with its default and its meaning', () => {
  for (const [name, type] of Object.entries<z.ZodType>(configSchema.shape)) {
    if (ELSEWHERE.has(name) && !SET_ANEW.includes(name)) continue
    const { success, data } = type.safeParse(undefined)
    const isPlain = typeof data === 'string' || typeof data === 'number'
    const value = isPlain ? String(data) : Object.keys(data ?? {}).join(',')
    const shown = success ? value && ` \`${value}\`` : ' required'
    expect(README).toContain(`| \`${name}\` |${shown} | ${type.description ?? '?'} |`)
  }
})

test('the README names every way in and where it leads', () => {
  for (const { path, upstream } of FRONT_DOORS) {
    const row = README.split('\n').find((line) => line.includes(`\`${path.replace('*path', '*')}\``))
    expect([path, row?.includes(`| ${upstream}`)]).toEqual([path, true])
  }
})
