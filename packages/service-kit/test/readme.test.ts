import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { loadConfig, PROBLEMS, serviceEnv } from '../src/index.ts'
import { configSchema, createApp } from './examples/greeter.ts'
import { ask } from './stand.ts'

const file = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const README = file('../README.md')

test('the example of the README is the one that is compiled and run here', async () => {
  expect(README).toContain(file('examples/greeter.ts'))
  const service = createApp(loadConfig(configSchema, { GREETING: 'Ahoy', LOG_LEVEL: 'silent' }))
  const { url } = await service.listen({ port: 0 })
  await service.start()
  expect((await ask(`${url}/v1/greetings/ann`)).body).toEqual({ text: 'Ahoy, ann' })
  expect((await ask(`${url}/v1/greetings/nobody`)).status).toBe(404)
  await service.close()
})

test('the README names every variable with its default and its meaning', () => {
  const text = README.replace(/ +/g, ' ')
  for (const [name, type] of Object.entries<z.ZodType>(serviceEnv({ port: 8090 }))) {
    const value = String(type.safeParse(undefined).data)
    const shown = name === 'PORT' ? "the service's own" : value === '' ? '' : `\`${value}\``
    expect(text).toContain(`| \`${name}\` |${shown && ` ${shown}`} | ${type.description ?? '?'} |`)
  }
})

test('the README names every code of a problem', () => {
  for (const [code, [status]] of Object.entries(PROBLEMS)) {
    expect(README.replace(/ +/g, ' ')).toMatch(new RegExp(`\\| ${String(status)} \\|[^\\n]*\`${code}\``))
  }
})
