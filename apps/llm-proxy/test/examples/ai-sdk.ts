import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { generateText } from 'ai'

/** With `/v1`, for both. */
export async function ask(gateway: string, credential: string): Promise<string[]> {
  const openai = createOpenAI({ baseURL: `${gateway}/openai/v1`, apiKey: credential })
  const anthropic = createAnthropic({ baseURL: `${gateway}/anthropic/v1`, apiKey: credential })
  const models = [openai('gpt-5'), anthropic('claude-haiku-4-5')]
  const answers = await Promise.all(models.map((model) => generateText({ model, prompt: 'Good morning' })))
  return answers.map(({ text }) => text)
}
