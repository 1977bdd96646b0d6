import { objectOf } from '../protocols/json.ts'
import { chatCompletion, chatError } from './chat-answer.ts'
import { messagesRequest } from './chat-request.ts'
import { createChatStream } from './chat-stream.ts'
import { parseExactly } from './exact-json.ts'
import type { Translation } from './translation.ts'

/**
 * Puts a chat completion request (`bytes`: a JSON object) to Anthropic as `POST /v1/messages`.
 * @throws Problem bad_request naming the member that cannot be said there
 */
export function translateChat(
  bytes: Buffer,
  model: string,
  { defaultMaxTokens }: { defaultMaxTokens: number },
): Translation {
  const chat = objectOf(parseExactly(bytes.toString('utf8')))
  const includeUsage = objectOf(chat.stream_options).include_usage === true
  return {
    path: '/v1/messages',
    body: Buffer.from(JSON.stringify(messagesRequest(chat, model, defaultMaxTokens))),
    stream: chat.stream === true,
    answer: (body) => Buffer.from(JSON.stringify(chatCompletion(body))),
    errorAnswer: (status, body) => Buffer.from(JSON.stringify(chatError(status, body))),
    startStream: () => createChatStream({ includeUsage }),
  }
}
