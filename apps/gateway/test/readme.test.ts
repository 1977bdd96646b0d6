import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { configSchema } from '../src/config.ts'
import { FRONT_DOORS } from '../src/upstreams.ts'

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8').replace(/ +/g, ' ')

test('the README names every variable with its default and its meaning', () => {
  for (const [name, type] of Object.entries<z.ZodType>(configSchema.shape)) {
    const { success, data } = type.safeParse(undefined)
    const value = String(data)
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
