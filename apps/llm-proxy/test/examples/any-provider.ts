import OpenAI from 'openai'

/** One client for all providers: the part of the model's name before the first slash says which. */
export async function ask(gateway: string, credential: string): Promise<string> {
  const client = new OpenAI({ baseURL: `${gateway}/v1`, apiKey: credential })
  const messages = [{ role: 'user' as const, content: 'Good morning' }]
  const stream = await client.chat.completions.create({
    model: 'anthropic/claude-haiku-4-5',
    messages,
    stream: true,
  })
  let text = ''
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
  return text
}
