import { GoogleGenAI } from '@google/genai'

export async function ask(gateway: string, credential: string): Promise<string> {
  const client = new GoogleGenAI({ apiKey: credential, httpOptions: { baseUrl: `${gateway}/gemini` } })
  const { text } = await client.models.generateContent({
    model: 'gemini-2.5-flash',
    contents: 'Good morning',
  })
  return text ?? ''
}
