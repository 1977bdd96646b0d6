import type { LlmUpstream } from '@waybill/dev-env'
import type { Setting } from './setting.ts'

/** One way to ask a model, as a client without an SDK does it. */
export interface ModelRoute {
  name: string
  path: (model: string, isStream: boolean) => string
  body: (model: string, isStream: boolean) => object
  canStream: boolean
  /** What a stream that is whole ends with. */
  endMark: string
  /** What the text of an error of ours holds. */
  errorMark: string
  /** Its streams may end in an error by their own contract, so that nothing needs to break for it to be seen. */
  endsInError?: true
}

export const PROMPT = 'Good morning'
const messages = [{ role: 'user', content: PROMPT }]

const OPENAI = { canStream: true, endMark: 'data: [DONE]', errorMark: '"error":{"message":' }
const chat = (prefix = '') => ({
  ...OPENAI,
  body: (model: string, stream: boolean) => ({ model: prefix + model, messages, stream }),
})
const completions = (prefix: string) => ({
  ...OPENAI,
  body: (model: string, stream: boolean) => ({ model: prefix + model, prompt: PROMPT, stream }),
})
const responses = (prefix = '') => ({
  body: (model: string, stream: boolean) => ({ model: prefix + model, input: PROMPT, stream }),
  canStream: true,
  endMark: 'event: response.completed',
  errorMark: '"message":',
})
const llm = (vendor: string): ModelRoute => ({
  name: `/llm for ${vendor}`,
  path: () => '/llm',
  body: (model, stream) => ({ model: `${vendor}/${model}`, prompt: PROMPT, stream }),
  canStream: true,
  endMark: 'event: done',
  errorMark: '"code":"',
  endsInError: true,
})
/** With a model of OpenAI's. */
const execute = (operation: string, input: (model: string) => object): ModelRoute => ({
  name: `/execute ${operation}`,
  path: () => '/execute',
  body: (model) => ({ operation, input: input(`openai/${model}`) }),
  canStream: false,
  endMark: '',
  errorMark: '"code":"',
})

/** Every route on which a model is asked, by each vendor that it is translated for. */
export const MODEL_ROUTES: readonly ModelRoute[] = [
  { ...chat(), name: '/openai chat', path: () => '/openai/v1/chat/completions' },
  { ...responses(), name: '/openai responses', path: () => '/openai/v1/responses' },
  {
    ...OPENAI,
    name: '/openai embeddings',
    path: () => '/openai/v1/embeddings',
    body: (model) => ({ model, input: PROMPT }),
    canStream: false,
  },
  {
    name: '/anthropic messages',
    path: () => '/anthropic/v1/messages',
    body: (model, stream) => ({ model, max_tokens: 1_000_000, messages, stream }),
    canStream: true,
    endMark: 'event: message_stop',
    errorMark: '"type":"error","error":{',
  },
  {
    name: '/gemini',
    path: (model, isStream) =>
      `/gemini/v1beta/models/${model}:${isStream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: () => ({ contents: [{ role: 'user', parts: [{ text: PROMPT }] }] }),
    canStream: true,
    endMark: '"finishReason":"STOP"',
    errorMark: '"error":{"code":5',
  },
  { ...chat('openai/'), name: '/v1/chat for openai', path: () => '/v1/chat/completions' },
  { ...chat('anthropic/'), name: '/v1/chat for anthropic', path: () => '/v1/chat/completions' },
  { ...chat('gemini/'), name: '/v1/chat for gemini', path: () => '/v1/chat/completions' },
  ...['openai', 'anthropic', 'gemini'].map(llm),
  execute('summarize', (model) => ({ text: PROMPT, model })),
  execute('embed', (model) => ({ texts: [PROMPT], model })),
]

/** The same ways to ask by their other names, for those tests in which each of these counts. */
export const MORE_MODEL_ROUTES: readonly ModelRoute[] = [
  { ...responses('openai/'), name: '/v1/responses', path: () => '/v1/responses' },
  { ...completions('openai/'), name: '/v1/completions', path: () => '/v1/completions' },
  { ...chat(), name: '/mistral chat', path: () => '/mistral/v1/chat/completions' },
  { ...chat(), name: '/openrouter chat', path: () => '/openrouter/v1/chat/completions' },
  llm('mistral'),
  execute('index', (model) => ({ document: { name: 'morning.txt', text: PROMPT }, model })),
  // Finds what the user has in memory by a model of our own.
  execute('answer', (model) => ({ question: PROMPT, model })),
]

export interface AskOptions {
  isStream?: boolean
  signal?: AbortSignal
  headers?: Record<string, string>
}

/** Asks `model` on a route of the proxy with that credential. */
export function askOn(
  { url }: Pick<Setting, 'url'> | Pick<LlmUpstream, 'url'>,
  route: ModelRoute,
  { token, model }: { token: string; model: string },
  { isStream = false, signal, headers }: AskOptions = {},
): Promise<Response> {
  return fetch(url + route.path(model, isStream), {
    method: 'POST',
    headers: {
      ...{ 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
      ...headers,
    },
    body: JSON.stringify(route.body(model, isStream)),
    redirect: 'manual',
    ...(signal && { signal }),
  })
}

/** All that comes, and whether it came to its end as HTTP sees it. */
export async function readAll(answer: Response): Promise<{ text: string; isWhole: boolean }> {
  const chunks: Uint8Array[] = []
  const text = () => Buffer.concat(chunks).toString('utf8')
  try {
    for await (const chunk of answer.body ?? []) chunks.push(chunk)
    return { text: text(), isWhole: true }
  } catch {
    return { text: text(), isWhole: false }
  }
}
