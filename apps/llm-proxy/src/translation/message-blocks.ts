import { isObject, listOf, objectOf } from '../protocols/json.ts'
import type { JsonObject } from '../protocols/json.ts'
import { parseExactly } from './exact-json.ts'
import { invalid, unsayable } from './unsayable.ts'

/** A content block of Anthropic's. */
type Block = JsonObject

interface Turn {
  role: 'user' | 'assistant'
  content: Block[]
}

export interface Conversation {
  system: Block[]
  messages: Turn[]
}

/**
 * Puts the messages of a chat completion as Anthropic's. Instructions come first there, wherever they stood; the results of
 * tools come in the user's turn, and turns of one side that follow each other are one turn.
 * @throws Problem bad_request naming the member that cannot be said
 */
export function conversationOf(messages: unknown): Conversation {
  if (!Array.isArray(messages)) throw invalid('messages', 'messages must be a list.')
  const conversation: Conversation = { system: [], messages: [] }
  for (const [index, message] of messages.entries()) {
    add(objectOf(message), `messages[${String(index)}]`, conversation)
  }
  return conversation
}

function add(message: JsonObject, at: string, { system, messages }: Conversation): void {
  const { role, content } = message
  const say = (side: Turn['role'], blocks: Block[]) => {
    const last = messages.at(-1)
    if (last?.role === side) last.content.push(...blocks)
    else if (blocks.length > 0) messages.push({ role: side, content: blocks })
  }
  switch (role) {
    case 'system':
    case 'developer':
      refuseName(message, at)
      system.push(...blocksOf(content, at, textOnly))
      break
    case 'user':
      refuseName(message, at)
      say('user', blocksOf(content, at, userPart))
      break
    case 'assistant':
      refuseName(message, at)
      say('assistant', assistantBlocks(message, at))
      break
    case 'tool':
      say('user', [toolResult(message, at)])
      break
    default:
      throw unsayable(`${at}.role`, `${at}.role must be one of system, developer, user, assistant, tool.`)
  }
}

/** There is no place for the name of a participant. */
function refuseName({ name }: JsonObject, at: string): void {
  if (name !== undefined && name !== null) throw unsayable(`${at}.name`)
}

type ReadPart = (part: JsonObject, at: string) => Block

/** Empty texts are left out: Anthropic refuses them, and they say nothing. */
function blocksOf(content: unknown, at: string, read: ReadPart): Block[] {
  if (content === undefined || content === null) return []
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }]
  if (!Array.isArray(content))
    throw invalid(`${at}.content`, `${at}.content must be a text or a list of parts.`)
  return content
    .map((part, index) => read(objectOf(part), `${at}.content[${String(index)}]`))
    .filter((block) => block.type !== 'text' || block.text !== '')
}

function textOnly({ type, text }: JsonObject, at: string): Block {
  if (type !== 'text') throw unsayable(`${at}.type`, `${at}.type must be text.`)
  if (typeof text !== 'string') throw invalid(`${at}.text`, `${at}.text must be a text.`)
  return { type, text }
}

function userPart(part: JsonObject, at: string): Block {
  if (part.type === 'image_url') return imageBlock(objectOf(part.image_url).url, `${at}.image_url`)
  if (part.type === 'file') return documentBlock(objectOf(part.file), `${at}.file`)
  if (part.type === 'text') return textOnly(part, at)
  throw unsayable(`${at}.type`, `${at}.type must be text, image_url or file.`)
}

function imageBlock(url: unknown, at: string): Block {
  if (typeof url !== 'string') throw invalid(at, `${at}.url must be a text.`)
  if (/^https:\/\//i.test(url)) return { type: 'image', source: { type: 'url', url } }
  const data = dataUrl(url)
  if (!data?.mediaType.startsWith('image/')) {
    throw unsayable(at, `${at}.url must be an https URL, or a data URL of an image in base64.`)
  }
  return { type: 'image', source: { type: 'base64', media_type: data.mediaType, data: data.base64 } }
}

function documentBlock({ file_data: url, filename }: JsonObject, at: string): Block {
  const data = typeof url === 'string' ? dataUrl(url) : undefined
  if (data?.mediaType !== 'application/pdf') {
    throw unsayable(at, `${at}.file_data must be a data URL of a PDF in base64.`)
  }
  return {
    type: 'document',
    source: { type: 'base64', media_type: data.mediaType, data: data.base64 },
    ...(typeof filename === 'string' && { title: filename }),
  }
}

/** RFC 2397, in base64 only. */
function dataUrl(url: string): { mediaType: string; base64: string } | undefined {
  const comma = url.indexOf(',')
  const mediaType = /^data:([^;,]+)(?:;[^;,]+)*;base64$/i.exec(url.slice(0, Math.max(0, comma)))?.[1]
  return mediaType === undefined
    ? undefined
    : { mediaType: mediaType.toLowerCase(), base64: url.slice(comma + 1) }
}

function assistantBlocks(message: JsonObject, at: string): Block[] {
  for (const member of ['audio', 'function_call']) {
    if (message[member] !== undefined && message[member] !== null) throw unsayable(`${at}.${member}`)
  }
  const said = blocksOf(message.content, at, (part, place) =>
    part.type === 'refusal' ? { type: 'text', text: part.refusal } : textOnly(part, place),
  )
  if (typeof message.refusal === 'string') said.push({ type: 'text', text: message.refusal })
  const calls = listOf(message.tool_calls).map((call, index) =>
    toolUse(objectOf(call), `${at}.tool_calls[${String(index)}]`),
  )
  return [...said, ...calls]
}

function toolUse({ id, type, function: called }: JsonObject, at: string): Block {
  if (type !== 'function') throw unsayable(`${at}.type`, `${at}.type must be function.`)
  const { name, arguments: given } = objectOf(called)
  return { type: 'tool_use', id, name, input: argumentsOf(given, `${at}.function.arguments`) }
}

function argumentsOf(given: unknown, at: string): JsonObject {
  if (given === undefined || given === '') return {}
  let input: unknown
  try {
    input = typeof given === 'string' ? parseExactly(given) : undefined
  } catch {
    input = undefined
  }
  if (isObject(input)) return input
  throw unsayable(at, `${at} must be a JSON object, as text.`)
}

function toolResult({ tool_call_id: id, content }: JsonObject, at: string): Block {
  if (typeof id !== 'string') throw invalid(`${at}.tool_call_id`, `${at}.tool_call_id must be a text.`)
  return { type: 'tool_result', tool_use_id: id, content: blocksOf(content, at, textOnly) }
}
