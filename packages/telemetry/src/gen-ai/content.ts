import type { Attributes } from '@opentelemetry/api'
import { GEN_AI } from '../names.ts'

/** The longest content of an attribute, in characters; the rest is cut off. */
const MAX_CONTENT_CHARS = 16_384

export function cutContent(text: string): string {
  return text.slice(0, MAX_CONTENT_CHARS)
}

/** What people wrote, and what an application told the model beside it, in the words of the protocol that they spoke. */
export function contentAttributes(body: unknown): Attributes {
  if (typeof body !== 'object' || body === null) return {}
  const request = body as Record<string, unknown> // any object has members by name
  const attributes: Attributes = {}
  for (const [attribute, members] of CONTENT) {
    const content = members.map((member) => request[member]).find((value) => value !== undefined)
    const text = textOf(content)
    if (text !== undefined) attributes[attribute] = cutContent(text)
  }
  return attributes
}

/** The attribute, and what OpenAI, Anthropic and Google call it. */
const CONTENT: readonly (readonly [attribute: string, members: readonly string[]])[] = [
  [GEN_AI.systemInstructions, ['system', 'instructions', 'systemInstruction', 'system_instruction']],
  [GEN_AI.inputMessages, ['messages', 'input', 'contents', 'prompt']],
]

function textOf(content: unknown): string | undefined {
  try {
    return content === undefined ? undefined : JSON.stringify(content)
  } catch {
    // Nested too deeply to be written down again; a span is not worth a call.
    return undefined
  }
}
