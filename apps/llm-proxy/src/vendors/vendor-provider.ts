import { Problem } from '@waybill/service-kit'
import type { ChatEvent, Provider } from '../provider.ts'
import type { ResolvedModel } from '../relay/resolve-model.ts'
import { DEFAULT_ENCODING, encodingOf } from '../tokens/encodings.ts'
import type { Tokenizer } from '../tokens/tokenizer.ts'
import type { Vendors } from './ask.ts'
import { chatWith } from './chat.ts'
import { embedWith } from './embed.ts'
import { answerPrompt, readAnswer, readSummary, summaryPrompt } from './prompts.ts'

export interface VendorOptions {
  vendors: Vendors
  tokenizer: Tokenizer
  maxOutputTokens: number
  /** In bytes. */
  maxAnswerBytes: number
  maxFrameBytes: number
}

/** One model of a vendor as a Provider: whatever is asked of it goes to that model, with the user's own key. */
export function createVendorProvider(target: ResolvedModel, options: VendorOptions): Provider {
  const encoding = encodingOf(target.model) ?? DEFAULT_ENCODING
  const countTokens = (text: string, signal: AbortSignal) => options.tokenizer.count(text, encoding, signal)
  const chat: Provider['chat'] = (input, signal) =>
    chatWith(target, input, { ...options, countTokens }, signal)

  const reply = async (messages: ReturnType<typeof summaryPrompt>, signal: AbortSignal): Promise<string> => {
    const counts = await Promise.all(messages.map(({ content }) => countTokens(content, signal)))
    const inputTokens = counts.reduce((sum, count) => sum + count, 0)
    const input = { model: target.model, messages, inputTokens, maxTokens: options.maxOutputTokens }
    return textOf(chat(input, signal))
  }

  return {
    name: target.provider.name,
    models: [],
    chat,
    embed: (input, signal) => embedWith(target, input, options, signal),
    async summarize({ text, maxSentences }, signal) {
      const sentences = readSummary(await reply(summaryPrompt(text, maxSentences), signal), maxSentences)
      if (sentences.length > 0) return sentences
      throw new Problem('upstream_failed', `${target.provider.name} replied with no summary.`)
    },
    async answer({ question, candidates }, signal) {
      if (candidates.length === 0) return undefined
      return readAnswer(await reply(answerPrompt(question, candidates), signal), candidates)
    },
  }
}

async function textOf(events: AsyncIterable<ChatEvent>): Promise<string> {
  let text = ''
  for await (const event of events) if (event.kind === 'delta') text += event.text
  return text
}
