import type { ProviderDefinition } from '../providers/provider-definition.ts'
import type { RelayCall } from '../relay/call.ts'
import type { Draft } from '../relay/draft.ts'
import { v1Destination } from '../relay/v1-destination.ts'
import type { ChatTranslations } from '../relay/v1-destination.ts'
import type { Translation } from '../translation/translation.ts'

/** A chat completion request of `chatWith`, in OpenAI's own words: those members of it on which OpenAI-compatible providers differ. */
interface OpenAiChat {
  model: string
  max_completion_tokens: number
  stream?: boolean
  stream_options?: { include_usage: boolean }
}

/**
 * Where a chat of ours goes at each provider, in the words that this one takes: those of a fallback may be other ones than
 * those of the first, and some refuse a member that they do not know.
 */
export function chatDestination(draft: Draft, translations: ChatTranslations): RelayCall['destination'] {
  const destination = v1Destination('/chat/completions', draft, translations)
  return (provider, model = '') => {
    const found = destination(provider, model)
    if (!found || found.translation || takesOpenAiWords(provider)) return found
    // What is asked here comes from chatWith.
    const chat = JSON.parse(draft.bytes.toString('utf8')) as OpenAiChat
    return { ...found, translation: intoDialect({ ...chat, model }, provider, found.path) }
  }
}

function takesOpenAiWords({ maxTokensParameter, includeUsage }: ProviderDefinition): boolean {
  return maxTokensParameter === 'max_completion_tokens' && includeUsage
}

/** Only the request is put otherwise: what comes back stays as it is. */
function intoDialect(
  { max_completion_tokens: maxTokens, stream_options: streamOptions, ...shared }: OpenAiChat,
  { maxTokensParameter, includeUsage }: ProviderDefinition,
  path: string,
): Translation {
  const body = {
    ...shared,
    [maxTokensParameter]: maxTokens,
    ...(includeUsage && streamOptions && { stream_options: streamOptions }),
  }
  return {
    path,
    body: Buffer.from(JSON.stringify(body)),
    stream: shared.stream === true,
    answer: (answer) => answer,
    errorAnswer: (_status, answer) => answer,
    startStream: () => ({ frame: frameOf }),
  }
}

/** With a line of its own for each of the data's, as the HTML Living Standard (9.2) writes an event. */
function frameOf(event: string, data: string): string {
  const name = event === '' ? '' : `event: ${event}\n`
  return `${name}data: ${data.replaceAll('\n', '\ndata: ')}\n\n`
}
