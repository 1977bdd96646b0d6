import { ANTHROPIC_VERSION } from '../protocols/anthropic.ts'
import { judgedPath } from '../protocols/judged-path.ts'
import type { Protocol } from '../protocols/protocol.ts'
import type { ProviderDefinition } from '../providers/provider-definition.ts'
import type { Translation } from '../translation/translation.ts'
import type { Destination } from './call.ts'
import type { Draft } from './draft.ts'

/** How chat completions are put to those who speak another protocol. */
export type ChatTranslations = Readonly<
  Partial<Record<Protocol['name'], (bytes: Buffer, model: string) => Translation>>
>

/** What the client cannot know that it has to say. */
const NEEDED: Partial<Record<Protocol['name'], Readonly<Record<string, string>>>> = {
  anthropic: ANTHROPIC_VERSION,
}

/** Whether chats can be asked of `provider` on `/v1/*`. */
export function isOnV1(
  { openAiPath, protocol }: ProviderDefinition,
  translations: ChatTranslations,
): boolean {
  return openAiPath !== undefined || translations[protocol.name] !== undefined
}

/**
 * Where a request on `/v1<path>` goes at each provider: where that one has OpenAI's protocol, or into the provider's own by
 * translation. Undefined when there is neither.
 */
export function v1Destination(path: string, draft: Draft, translations: ChatTranslations) {
  return (provider: ProviderDefinition, model = ''): Destination | undefined => {
    if (provider.openAiPath !== undefined) return { path: provider.openAiPath + path }
    const { name } = provider.protocol
    const translate = judgedPath(path) === '/chat/completions' ? translations[name] : undefined
    const translation = translate?.(draft.bytes, model)
    return translation && { path: translation.path, translation, headers: NEEDED[name] ?? {} }
  }
}
