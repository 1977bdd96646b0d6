import { bearerOf, headerOf } from '../credential.ts'
import { json } from '../reply.ts'
import type { Reply } from '../reply.ts'
import type { Call, Vendor } from '../vendor.ts'
import { chatCompletion, textCompletion } from './chat.ts'
import { embeddings } from './embeddings.ts'
import { openAiError, openAiErrorFrame, openAiUnauthorized } from './errors.ts'
import { keyOf } from './key.ts'
import { models } from './models.ts'
import { response } from './responses.ts'

/** OpenAI, and what speaks its protocol: Mistral, OpenRouter, vLLM, Gemini below `/v1beta/openai`. */
export const openAi: Vendor = {
  name: 'openai',
  // Azure has a header of its own. Google takes `Authorization` here, as its documentation has it, and not its own.
  credential: (headers) => bearerOf(headers) ?? headerOf(headers['api-key']),
  inPath: () => ({}),
  headers: (requestId) => ({
    'x-request-id': requestId,
    'openai-version': '2020-10-01',
    'openai-processing-ms': '7',
    'x-ratelimit-limit-requests': '5000',
    'x-ratelimit-remaining-requests': '4999',
    'x-ratelimit-reset-requests': '12ms',
  }),
  answer(call) {
    const path = call.path.replace(/^\/v1beta\/openai|^\/v1/, '')
    if (call.method === 'GET') {
      if (path === '/key') return keyOf(call.key)
      const [, id] = /^\/models(?:\/(.+))?$/.exec(path) ?? []
      return path.startsWith('/models') ? models(id) : undefined
    }
    return call.method === 'POST' ? post(path, call) : undefined
  },
  error: (status) => openAiError(status),
  unauthorized: openAiUnauthorized,
  malformed: () =>
    openAiError(400, {
      message:
        'We could not parse the JSON body of your request. (HINT: This likely means you aren’t using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)',
      param: null,
      code: null,
    }),
  errorFrame: openAiErrorFrame,
}

function post(path: string, { asked, made, key, bytes }: Call): Reply | undefined {
  switch (path) {
    case '/chat/completions':
      return chatCompletion(asked, made)
    case '/completions':
      return textCompletion(asked, made)
    case '/responses':
      return response(asked, made)
    case '/embeddings':
      return embeddings(asked)
    case '/audio/transcriptions':
      return json({ text: `[${key}] ${bytes} bytes` })
    default:
      return undefined
  }
}
