import { listOf, objectOf, textOf } from '../asked.ts'
import type { Asked } from '../asked.ts'
import { wholeText } from '../generate.ts'
import type { Generated } from '../generate.ts'
import { vectorOf } from '../openai/embeddings.ts'
import { json, stream } from '../reply.ts'
import type { Reply } from '../reply.ts'

/** POST /v1beta/models/<model>:generateContent */
export function generateContent(asked: Asked, made: Generated): Reply {
  const parts = made.tool ? callParts(made) : [{ text: wholeText(made) }]
  return json(answer(asked, made, parts, true), { indent: 2 })
}

/** POST /v1beta/models/<model>:streamGenerateContent: events with `alt=sse`, else the elements of one JSON array. */
export function streamGenerateContent(asked: Asked, made: Generated, alt: string | null): Reply {
  if (alt === 'sse') {
    return stream(map(parts(asked, made), (part) => `data: ${JSON.stringify(part)}\r\n\r\n`))
  }
  const elements = function* (): Iterable<string> {
    let before = '['
    for (const part of parts(asked, made)) {
      yield `${before}${JSON.stringify(part, undefined, 2)}`
      before = ',\r\n'
    }
    yield ']'
  }
  return { status: 200, headers: { 'content-type': 'application/json; charset=UTF-8' }, body: elements() }
}

/** POST /v1beta/models/<model>:countTokens */
export function countTokens(made: Generated): Reply {
  return json({ totalTokens: made.inputTokens }, { indent: 2 })
}

/** POST /v1beta/models/<model>:embedContent and :batchEmbedContents */
export function embedContent({ body }: Asked): Reply {
  const embed = (request: unknown) => ({ values: [...vectorOf(textOf(objectOf(request).content))] })
  const { requests } = body
  return requests === undefined
    ? json({ embedding: embed(body) }, { indent: 2 })
    : json({ embeddings: listOf(requests).map(embed) }, { indent: 2 })
}

/** GET /v1beta/models */
export function models(): Reply {
  const methods = ['generateContent', 'countTokens']
  const model = { name: 'models/mock-model', displayName: 'Mock model', supportedGenerationMethods: methods }
  return json({ models: [model] }, { indent: 2 })
}

function* parts(asked: Asked, made: Generated): Iterable<object> {
  if (made.tool) yield answer(asked, made, callParts(made), false)
  else for (const text of made.pieces()) yield answer(asked, made, [{ text }], false)
  yield answer(asked, made, [{ text: '' }], true)
}

function callParts({ tool }: Generated): object[] {
  return tool ? [{ functionCall: { name: tool.name, args: tool.arguments } }] : []
}

function answer({ model }: Asked, made: Generated, content: object[], isLast: boolean): object {
  const { inputTokens, outputTokens, isCut } = made
  return {
    candidates: [
      {
        content: { parts: content, role: 'model' },
        ...(isLast && { finishReason: isCut ? 'MAX_TOKENS' : 'STOP' }),
        index: 0,
      },
    ],
    ...(made.saysUsage && {
      usageMetadata: {
        promptTokenCount: inputTokens,
        ...(isLast && { candidatesTokenCount: outputTokens }),
        totalTokenCount: inputTokens + (isLast ? outputTokens : 0),
      },
    }),
    ...{ modelVersion: model, responseId: made.id },
  }
}

function* map<T>(all: Iterable<T>, change: (one: T) => string): Iterable<string> {
  for (const one of all) yield change(one)
}
