import { afterEach, describe, expect, it, vi } from 'vitest'
import { openAiProtocol } from '../src/protocols/openai.ts'
import { observeEnds } from '../src/relay/observe-ends.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

const NOTHING = Buffer.alloc(0)
const USAGE = '"usage" :\n{"prompt_tokens":3,"completion_tokens":4}'
const usageIn = (text: string) => observeEnds(NOTHING, Buffer.from(text), openAiProtocol).usage

describe('the usage at the end of an answer', () => {
  it.each([
    ['behind a text that quotes one', `x \\"usage\\":{\\"prompt_tokens\\":9}",${USAGE}}`],
    ['before a name that has no object', `x",${USAGE},"metadata":{"usage":"of a user"}}`],
    ['before one that breaks off', `x",${USAGE},"next":{"usage":{"prompt_tokens":9`],
    ['before an empty one', `x",${USAGE},"next":{"usage":{}}}`],
    ['the last of two', `x","usage":{"prompt_tokens":9,"completion_tokens":9},${USAGE}}`],
    ['before seven other places', `x",${USAGE},"names":[${Array(7).fill('"usage"').join()}]}`],
  ])('is found: %s', (_, text) => {
    expect(usageIn(text)).toMatchObject({ inputTokens: 3, outputTokens: 4 })
  })
})

it('the model is found at its beginning', () => {
  const head = Buffer.from(
    '{"id":"x", "model" : "gpt-5", "choices":[{"message":{"content":"\\"model\\":\\"o1\\"',
  )
  expect(observeEnds(head, NOTHING, openAiProtocol).model).toBe('gpt-5')
  expect(observeEnds(NOTHING, NOTHING, openAiProtocol).model).toBeUndefined()
})

/** How often bytes are searched, how many are decoded, and how often something is parsed, while the usage in them is looked for. */
function workFor(tail: Buffer) {
  const spies = [vi.spyOn(tail, 'indexOf'), vi.spyOn(tail, 'lastIndexOf')]
  const decoded = vi.spyOn(tail, 'toString')
  const parsed = vi.spyOn(JSON, 'parse')
  observeEnds(NOTHING, tail, openAiProtocol)
  return {
    searches: spies.reduce((sum, { mock }) => sum + mock.calls.length, 0),
    decoded: decoded.mock.results.reduce((sum, { value }) => sum + String(value).length, 0),
    parsed: parsed.mock.calls.length,
  }
}

describe('an answer that names its usage at hundreds of places is looked at in a few passes', () => {
  const PLACES = 400

  it.each([
    ['in one another', '"usage":{', ''],
    ['without a value', '"usage"', '{'],
    ['each with a broken one', '"usage":{"a":x},', ''],
    ['far from the colon', '"usage"'.padEnd(200), ':{'],
  ])('%s', (_, unit, end) => {
    const tail = Buffer.from(unit.repeat(PLACES) + end)
    const { searches, decoded, parsed } = workFor(tail)
    expect(searches).toBeLessThan(20 * PLACES)
    expect(decoded).toBeLessThan(20 * tail.length)
    expect(parsed).toBeLessThanOrEqual(16)
  })
})
