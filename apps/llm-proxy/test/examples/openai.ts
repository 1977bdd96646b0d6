import OpenAI from 'openai'

/** `credential`: a token of the user's, or an API key of the platform's, where the vendor's key would stand. */
export async function ask(gateway: string, credential: string): Promise<string> {
  const client = new OpenAI({ baseURL: `${gateway}/openai/v1`, apiKey: credential })
  const messages = [{ role: 'user' as const, content: 'Good morning' }]
  const completion = await client.chat.completions.create({ model: 'gpt-5', messages })
  return completion.choices[0]?.message.content ?? ''
}
