import { readFileSync } from 'node:fs'
import { send } from './caller.ts'
import type { Answer } from './caller.ts'
import { DEMO_DOCUMENTS, DEMO_QUESTION } from './documents.ts'
import { MODEL_STEPS } from './model-steps.ts'
import type { Step } from './step.ts'

/** The whole demo, in order. */
export const STEPS: readonly Step[] = [
  register('first'),
  register('second'),
  logIn('first'),
  logIn('second'),
  ...DEMO_DOCUMENTS.map(upload),
  ask('first', 'The first user asks about it', ({ body }) => ({
    'the answer comes from the document': String(body.answer).includes(DEMO_QUESTION.expected),
    'the passage is named': JSON.stringify(body.passages).includes(DEMO_DOCUMENTS[0].name),
  })),
  {
    name: 'project',
    says: 'The first user creates a project; its basket is made in substrate-api',
    way: ['gateway', 'work-platform', 'substrate-api'],
    as: 'first',
    send: ({ services, users }) =>
      send({
        name: 'project',
        url: `${services.gateway}/work/api/projects`,
        token: users.first.token,
        json: { name: 'Cold chain review' },
      }),
    expect: ({ status, body }) => ({
      'answered 201': status === 201,
      'the project has its basket': typeof body.basket_id === 'string',
    }),
  },
  ask('second', 'The second user asks the same', ({ body }) => ({
    'nothing is answered': body.answer === null,
    'no passage is shown': Array.isArray(body.passages) && body.passages.length === 0,
  })),
  ...MODEL_STEPS,
  forgedAtTheEdge(),
  forgedInside(),
]

function register(who: 'first' | 'second'): Step {
  return {
    name: `register-${who}`,
    says: `Registering the ${who} user`,
    way: ['gateway', 'auth-service'],
    send: ({ services, users }) =>
      send({
        name: `register-${who}`,
        url: `${services.gateway}/auth/register`,
        json: {
          username: users[who].username,
          password: users[who].password,
          email: `${users[who].username}@example.test`,
        },
      }),
    expect: ({ status }) => ({ 'answered 201': status === 201 }),
  }
}

function logIn(who: 'first' | 'second'): Step {
  return {
    name: `login-${who}`,
    says: `Logging the ${who} user in`,
    way: ['gateway', 'auth-service'],
    send: ({ services, users }) => {
      const { username, password } = users[who]
      return send({
        name: `login-${who}`,
        url: `${services.gateway}/auth/login`,
        json: { username, password },
      })
    },
    expect: ({ status, body }, { users }) => {
      users[who].token = String(body.access_token)
      users[who].id = String(body.user_id)
      return { 'answered 200': status === 200, 'an access token came': typeof body.access_token === 'string' }
    },
  }
}

function upload(document: (typeof DEMO_DOCUMENTS)[number]): Step {
  const format = document.name.split('.').at(-1) ?? ''
  return {
    name: `upload-${format}`,
    says: `The first user uploads ${document.name}: converted, tokenized, embedded, kept`,
    way: ['gateway', 'docling', 'llm-proxy', 'data_store'],
    as: 'first',
    send: ({ services, users }) => {
      const form = new FormData()
      form.set('files', new Blob([readFileSync(document.path)], { type: document.type }), document.name)
      form.set('index', 'true')
      const url = `${services.gateway}/docling/v1/convert/file`
      return send({ name: `upload-${format}`, url, token: users.first.token, form })
    },
    expect: ({ status, body }) => {
      const { chunks = 0, tokens = 0 } = (body.waybill ?? {}) as { chunks?: number; tokens?: number }
      return {
        'answered 200': status === 200,
        'its passages were kept': chunks > 0,
        'its tokens were counted': tokens > 0,
      }
    },
  }
}

function ask(
  who: 'first' | 'second',
  says: string,
  expect: (answer: Answer) => Record<string, boolean>,
): Step {
  return {
    name: `ask-${who}`,
    says: `${says}: "${DEMO_QUESTION.question}"`,
    way: ['gateway', 'llm-proxy', 'data_store'],
    as: who,
    send: ({ services, users }) => askAs(`ask-${who}`, services.gateway, users[who].token),
    expect: (answer) => ({ 'answered 200': answer.status === 200, ...expect(answer) }),
  }
}

function forgedAtTheEdge(): Step {
  return {
    name: 'forged-at-the-edge',
    says: 'The second user asks again, claiming to be the first in X-User-ID',
    way: ['gateway', 'llm-proxy', 'data_store'],
    as: 'second',
    send: ({ services, users }) =>
      askAs('forged-at-the-edge', services.gateway, users.second.token, {
        'X-User-ID': users.first.id ?? '',
      }),
    expect: ({ status, body }) => ({
      'answered 200': status === 200,
      'the forged header changed nothing': body.answer === null,
    }),
  }
}

function forgedInside(): Step {
  return {
    name: 'forged-inside',
    says: 'The second user goes around the gateway to data_store with the same forged header',
    way: ['data_store'],
    needsClear: true,
    send: ({ services, users }) =>
      send({
        name: 'forged-inside',
        url: `${services.data_store}/v1/postgres/collections/documents/records`,
        token: users.second.token,
        headers: { 'X-User-ID': users.first.id ?? '' },
      }),
    expect: ({ status, body }) => ({
      'refused with 401': status === 401,
      'as identity_header_mismatch': body.code === 'identity_header_mismatch',
    }),
  }
}

function askAs(
  name: string,
  gateway: string,
  token: string | undefined,
  headers: Record<string, string> = {},
) {
  const json = { operation: 'answer', input: { question: DEMO_QUESTION.question } }
  return send({ name, url: `${gateway}/execute`, token, json, headers })
}
