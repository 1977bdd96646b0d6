import { isObject, listOf, objectOf } from '../protocols/json.ts'
import type { JsonObject } from '../protocols/json.ts'
import { unsayable } from './unsayable.ts'

/**
 * Puts `tools`, `tool_choice` and `parallel_tool_calls` of a chat completion as Anthropic's `tools` and `tool_choice`.
 * @throws Problem bad_request naming the member that cannot be said
 */
export function toolsOf(chat: JsonObject): { tools?: JsonObject[]; tool_choice?: JsonObject } {
  const tools = listOf(chat.tools).map((tool, index) => toolOf(objectOf(tool), `tools[${String(index)}]`))
  if (tools.length === 0) return {}
  const choice = choiceOf(chat.tool_choice)
  if (chat.parallel_tool_calls !== false || choice?.type === 'none') {
    return { tools, ...(choice && { tool_choice: choice }) }
  }
  return { tools, tool_choice: { ...(choice ?? { type: 'auto' }), disable_parallel_tool_use: true } }
}

function toolOf({ type, function: declared }: JsonObject, at: string): JsonObject {
  if (type !== 'function') throw unsayable(`${at}.type`, `${at}.type must be function.`)
  const { name, description, parameters, strict } = objectOf(declared)
  return {
    name,
    ...(typeof description === 'string' && { description }),
    input_schema: isObject(parameters) ? parameters : { type: 'object', properties: {} },
    ...(strict === true && { strict }),
  }
}

const CHOICES = new Map<unknown, string>([
  ['auto', 'auto'],
  ['required', 'any'],
  ['none', 'none'],
])

function choiceOf(choice: unknown): JsonObject | undefined {
  if (choice === undefined || choice === null) return undefined
  const type = CHOICES.get(choice)
  if (type !== undefined) return { type }
  const { type: kind, function: named } = objectOf(choice)
  if (kind !== 'function') throw unsayable('tool_choice')
  return { type: 'tool', name: objectOf(named).name }
}
