import Anthropic from '@anthropic-ai/sdk'

/** Without `/v1`: this SDK adds it. */
export async function ask(gateway: string, credential: string): Promise<string> {
  const client = new Anthropic({ baseURL: `${gateway}/anthropic`, apiKey: credential })
  const messages = [{ role: 'user' as const, content: 'Good morning' }]
  const message = await client.messages.create({ model: 'claude-haiku-4-5', max_tokens: 100, messages })
  const [block] = message.content
  return block?.type === 'text' ? block.text : ''
}
