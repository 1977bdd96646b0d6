import { expect, it } from 'vitest'
import { anthropicProtocol } from '../src/protocols/anthropic.ts'
import { geminiProtocol } from '../src/protocols/gemini.ts'
import { openAiProtocol } from '../src/protocols/openai.ts'
import { estimateOf, isDeferred, isUnmetered } from '../src/relay/estimate.ts'
import { estimateInput } from '../src/relay/input-tokens.ts'

const CONFIG = { UNSTATED_OUTPUT_TOKENS: 1_000, RESERVED_OUTPUT_TOKENS_MAX: 8_000 }
const outputOf = (body: Record<string, unknown>) => {
  const { estimatedTokens, estimatedInputTokens } = estimateOf({ body }, 'chat', CONFIG)
  return estimatedTokens - estimatedInputTokens
}
const IMAGE = 'iVBORw0KGgo'.repeat(100_000)

it.each([
  ['without spaces', 'x'.repeat(40_000), 10_000],
  ['in Chinese', '船'.repeat(4_000), 3_000],
  ['that begins without a space', `${'_'.repeat(2_000)} ${'word '.repeat(2_000)}`, 3_001],
])('a text %s is counted by its bytes', (_, text, tokens) => {
  expect(estimateInput([text])).toBe(tokens)
  expect(estimateInput({ url: text, data: text, type: 'text', media_type: 'image/png' })).toBeGreaterThan(
    2 * tokens,
  )
})

it.each([
  ["OpenAI's image", { image_url: { url: `data:image/png;base64,${IMAGE}` } }],
  ["OpenAI's sound", { input_audio: { data: IMAGE, format: 'wav' } }],
  ["OpenAI's file", { file: { file_data: `data:application/pdf;base64,${IMAGE}` } }],
  ["Anthropic's image", { source: { type: 'base64', media_type: 'image/png', data: IMAGE } }],
  ["Gemini's image", { inlineData: { mimeType: 'image/png', data: IMAGE } }],
])('%s counts the same whatever it has in bytes', (_, part) => {
  expect(estimateInput(part)).toBeLessThan(1_020)
})

it.each([
  ['max_tokens', { max_tokens: 50 }, 50],
  ['the largest of several', { max_completion_tokens: 1, max_tokens: 50 }, 50],
  ["Gemini's", { generationConfig: { maxOutputTokens: 50 } }, 50],
  ['none', {}, 1_000],
  ['a negative one, which is none', { max_tokens: -1 }, 1_000],
  ['nought, which is none', { max_tokens: 0 }, 1_000],
  ['several answers', { max_tokens: 50, n: 3 }, 150],
  ['the best of several', { max_tokens: 50, n: 1, best_of: 4 }, 200],
  ["Gemini's candidates", { generationConfig: { maxOutputTokens: 50, candidateCount: 2 } }, 100],
  ['a list of prompts', { max_tokens: 50, prompt: ['a', 'b', 'c'] }, 150],
  ['a prompt of tokens', { max_tokens: 50, prompt: [1, 2, 3] }, 50],
])('output is estimated by %s', (_, body, tokens) => {
  expect(outputOf(body)).toBe(tokens)
})

it('of the most that an SDK asks for by default not all is taken from the minute', () => {
  const estimate = estimateOf({ body: { max_tokens: 64_000, n: 2 } }, 'chat', CONFIG)
  expect(estimate.estimatedTokens).toBe(128_000 + estimate.estimatedInputTokens)
  expect(estimate.reservedTokens).toBe(16_000 + estimate.estimatedInputTokens)
})

it.each([
  [openAiProtocol, 'POST', '/v1/batches', true],
  [openAiProtocol, 'POST', '/v1/images/generations', true],
  [openAiProtocol, 'GET', '/v1/batches', false],
  [openAiProtocol, 'POST', '/v1/chat/completions', false],
  [openAiProtocol, 'POST', '/v1/Moderations/', false],
  [openAiProtocol, 'POST', '/api/chat', true],
  [openAiProtocol, 'POST', '/v1/batch/jobs', true],
  [openAiProtocol, 'POST', '/v1/conversations', true],
  [openAiProtocol, 'POST', '/v1/fine_tuning/jobs', true],
  [openAiProtocol, 'POST', '/v1/agents/completions', false],
  [openAiProtocol, 'POST', '/Async/chat/completions', true],
  [openAiProtocol, 'GET', '/async/chat/completions', false],
  [anthropicProtocol, 'POST', '/v1/messages/batches', true],
  [anthropicProtocol, 'POST', '/v1/messages/count_tokens', false],
  [geminiProtocol, 'POST', '/v1beta/models/x:batchGenerateContent', true],
  [geminiProtocol, 'POST', '/v1beta/models/x:asyncBatchEmbedContent', true],
  [geminiProtocol, 'POST', '/v1beta/models/x:predictLongRunning', true],
  [geminiProtocol, 'POST', '/v1beta/interactions', true],
  [geminiProtocol, 'POST', '/v1beta/models/x:countTokens', false],
  [geminiProtocol, 'POST', '/v1beta/openai/images/generations', true],
])('what cannot be counted is known by method and path: %#', (protocol, method, path, expected) => {
  expect(isUnmetered({ protocol, telemetryName: 'openai' }, method, path)).toBe(expected)
})

it('moderation is free at OpenAI alone', () => {
  const mistral = { protocol: openAiProtocol, telemetryName: 'mistral_ai' }
  expect(isUnmetered(mistral, 'POST', '/v1/moderations')).toBe(true)
})

it.each([
  ...[{ background: true }, { deferred: true }, { background: 'true' }, { background: 1 }].map(
    (body) => [body, true] as const,
  ),
  ...[{}, { background: false }, { deferred: null }].map((body) => [body, false] as const),
])('what is not plainly asked for at once may come later, to some servers: %o, %s', (body, expected) => {
  expect(isDeferred({ body })).toBe(expected)
})
