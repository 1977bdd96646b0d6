import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ATTRIBUTE, METRIC, SPAN } from '../src/index.ts'
import { convert } from './examples/convert.ts'

const file = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const README = file('../README.md')

test('the example of the README is the one that is compiled and run here', async () => {
  expect(README).toContain(file('examples/convert.ts'))
  expect(await convert('notes', () => Promise.resolve('done'))).toBe('done')
})

test('the README names every span, attribute and counter', () => {
  for (const name of [...Object.values(ATTRIBUTE), ...Object.values(SPAN), ...Object.values(METRIC)])
    expect(README).toContain(`\`${name}\``)
})
