import { describe, expect, test } from 'vitest'
import { llmProxy } from '../src/index.ts'

const { anthropicError, googleError, openAiError } = llmProxy
const problem = (status: number, more: object = {}): llmProxy.ProblemLike => ({
  ...{ status, detail: 'What went wrong.', code: 'own_code', request_id: 'r-1' },
  ...more,
})

describe("OpenAI's shape", () => {
  test.each([
    [400, {}, 'invalid_request_error', null, 'own_code'],
    [400, { param: 'model', reason: 'model_not_found' }, 'invalid_request_error', 'model', 'model_not_found'],
    [
      400,
      { errors: [{ path: 'messages[0].role' }, { path: 'x' }] },
      'invalid_request_error',
      'messages[0].role',
      'own_code',
    ],
    [401, { reason: 'expired' }, 'invalid_request_error', null, 'invalid_api_key'],
    [403, { reason: 'provider_key_missing' }, 'permission_error', null, 'provider_key_missing'],
    [429, {}, 'rate_limit_error', null, 'rate_limit_exceeded'],
    [429, { reason: 'requests_per_minute' }, 'requests', null, 'rate_limit_exceeded'],
    [429, { reason: 'tokens_per_minute' }, 'tokens', null, 'rate_limit_exceeded'],
    [429, { reason: 'budget_exceeded' }, 'insufficient_quota', null, 'insufficient_quota'],
    [502, {}, 'server_error', null, 'own_code'],
    [508, {}, 'server_error', null, 'own_code'],
  ])('of %i %j is of type %s, param %s, code %s', (status, more, type, param, code) => {
    expect(openAiError(problem(status, more))).toEqual({
      error: { message: 'What went wrong.', type, param, code },
    })
  })

  test('takes no member for a text that is none', () => {
    expect(openAiError(problem(400, { param: 7, errors: [null], reason: {} })).error).toMatchObject({
      param: null,
      code: 'own_code',
    })
  })
})

describe("Anthropic's shape", () => {
  test.each([
    [400, 'invalid_request_error'],
    [401, 'authentication_error'],
    [403, 'permission_error'],
    [404, 'not_found_error'],
    [409, 'conflict_error'],
    [413, 'request_too_large'],
    [415, 'invalid_request_error'],
    [429, 'rate_limit_error'],
    [500, 'api_error'],
    [503, 'api_error'],
    [504, 'timeout_error'],
    [529, 'overloaded_error'],
  ])('of %i is of type %s, and names the request', (status, type) => {
    expect(anthropicError(problem(status))).toEqual({
      type: 'error',
      error: { type, message: 'What went wrong.' },
      request_id: 'r-1',
    })
  })
})

describe("Google's shape", () => {
  test.each([
    [400, 'INVALID_ARGUMENT'],
    [401, 'UNAUTHENTICATED'],
    [403, 'PERMISSION_DENIED'],
    [404, 'NOT_FOUND'],
    [413, 'INVALID_ARGUMENT'],
    [429, 'RESOURCE_EXHAUSTED'],
    [500, 'INTERNAL'],
    [502, 'UNAVAILABLE'],
    [504, 'DEADLINE_EXCEEDED'],
    [508, 'INTERNAL'],
  ])('of %i is %s', (code, status) => {
    expect(googleError(problem(code))).toEqual({ error: { code, message: 'What went wrong.', status } })
  })
})
