import { randomBytes } from 'node:crypto'
import { send } from './caller.ts'
import type { DemoState, Step } from './step.ts'

/** Taken by the mock upstream, which stands for a vendor of language models; it tells the last four characters of the key it saw. */
const KEY = `sk-demo-${randomBytes(12).toString('hex')}`
const LAST_FOUR = KEY.slice(-4)

const WAY = ['gateway', 'llm-proxy'] as const

/** A user's own key for a provider: kept, used for them alone, and what it was used for. */
export const MODEL_STEPS: readonly Step[] = [
  {
    name: 'provider-key',
    says: 'The first user adds a key of theirs for a provider of language models',
    way: WAY,
    as: 'first',
    send: ({ services, users }) =>
      send({
        name: 'provider-key',
        url: `${services.gateway}/keys`,
        token: users.first.token,
        json: { provider: 'mock', key: KEY },
      }),
    expect: ({ status, body }) => ({
      'answered 201': status === 201,
      'its last four are told': body.last_four === LAST_FOUR,
      'the key itself is not': !JSON.stringify(body).includes(KEY),
    }),
  },
  {
    ...chat('first', 'The first user streams a chat completion with it'),
    expect: ({ status, body }) => ({
      'answered 200': status === 200,
      'the provider saw their key': String(body.text).includes(`[${LAST_FOUR}]`),
      'the stream came to its end': String(body.text).trimEnd().endsWith('data: [DONE]'),
    }),
  },
  {
    name: 'usage',
    says: 'The first user looks at what that used',
    way: WAY,
    as: 'first',
    send: ({ services, users }) =>
      send({
        name: 'usage',
        url: `${services.gateway}/usage?by=provider,model`,
        token: users.first.token,
      }),
    expect: ({ status, body }) => {
      const items = Array.isArray(body.items) ? (body.items as Record<string, unknown>[]) : []
      const used = items.find(({ provider }) => provider === 'mock')
      return {
        'answered 200': status === 200,
        'one request is counted': used?.requests === 1,
        'with the tokens that the provider counted': used?.input_tokens === 2 && used.output_tokens === 3,
      }
    },
  },
  {
    ...chat('second', 'The second user asks the same provider, and has no key for it'),
    expect: ({ status, body }) => ({
      'refused with 403': status === 403,
      'for want of a key': JSON.stringify(body).includes('provider_key_missing'),
    }),
  },
]

function chat(who: 'first' | 'second', says: string): Omit<Step, 'expect'> {
  return {
    name: `chat-${who}`,
    says,
    way: WAY,
    as: who,
    send: ({ services, users }: DemoState) =>
      send({
        name: `chat-${who}`,
        url: `${services.gateway}/v1/chat/completions`,
        token: users[who].token,
        json: {
          model: 'mock/mock-model',
          messages: [{ role: 'user', content: 'Good morning' }],
          stream: true,
        },
      }),
  }
}
