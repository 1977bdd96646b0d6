import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ATTRIBUTE, GEN_AI, GEN_AI_METRIC, METRIC, SPAN } from '../src/index.ts'
import { convert } from './examples/convert.ts'

const file = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const README = file('../README.md')

test('the example of the README is the one that is compiled and run here', async () => {
  expect(README).toContain(file('examples/convert.ts'))
  expect(await convert('notes', () => Promise.resolve('done'))).toBe('done')
})

test('the README names every span, attribute and metric', () => {
  for (const name of [ATTRIBUTE, GEN_AI, GEN_AI_METRIC, SPAN, METRIC].flatMap((names) =>
    Object.values<string>(names),
  ))
    expect(README).toContain(`\`${name}\``)
})
