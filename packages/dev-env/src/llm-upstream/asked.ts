/** What the bodies of all vendors have in common: a model, words, tools. Nothing here judges what is malformed. */

export interface ToolCall {
  name: string
  arguments: Record<string, unknown>
}

export interface Asked {
  model: string
  /** All of the prompt's words. */
  words: readonly string[]
  /** The text of the last message. */
  last: string
  /** The first tool that was offered, called; none when its result is in the prompt already. */
  tool: ToolCall | undefined
  maxTokens: number | undefined
  isStream: boolean
  body: Body
}

export type Body = Readonly<Record<string, unknown>>

const PROMPTS = [
  'instructions',
  'system',
  'systemInstruction',
  'messages',
  'input',
  'contents',
  'prompt',
  'content',
]

/** `model` and `isStream` where the path says them. */
export function askedOf(body: Body, inPath: { model?: string; isStream?: boolean } = {}): Asked {
  const prompts = PROMPTS.map((name) => body[name]).filter((prompt) => prompt !== undefined)
  const turns = prompts.at(-1)
  const last = Array.isArray(turns) ? (turns as readonly unknown[]).at(-1) : turns
  const config = objectOf(body.generationConfig)
  const most =
    body.max_completion_tokens ?? body.max_output_tokens ?? body.max_tokens ?? config.maxOutputTokens
  return {
    model: inPath.model ?? (typeof body.model === 'string' ? body.model : ''),
    words: prompts.flatMap((prompt) => wordsOf(textOf(prompt))),
    last: textOf(last),
    tool:
      body.tool_choice === 'none' || isToolResult(last) ? undefined : toolCallOf(body.tools, textOf(last)),
    maxTokens: typeof most === 'number' ? most : undefined,
    isStream: inPath.isStream ?? body.stream === true,
    body,
  }
}

export function objectOf(value: unknown): Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

export function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

/** Every text in a message, a part of one, or several of them. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(textOf).filter(Boolean).join(' ')
  const { text, content, parts, output, functionResponse } = objectOf(value)
  const inner = text ?? content ?? parts ?? output
  if (inner !== undefined) return textOf(inner)
  return functionResponse === undefined ? '' : JSON.stringify(functionResponse)
}

const RESULT = /"(?:role":"tool|type":"tool_result|type":"function_call_output|functionResponse)"/

function isToolResult(message: unknown): boolean {
  return message !== undefined && RESULT.test(JSON.stringify(message))
}

function toolCallOf(tools: unknown, last: string): ToolCall | undefined {
  const first = objectOf(listOf(tools)[0])
  const tool = objectOf(first.function ?? listOf(first.functionDeclarations)[0] ?? first)
  if (typeof tool.name !== 'string') return undefined
  const schema = objectOf(tool.parameters ?? tool.input_schema ?? tool.parametersJsonSchema)
  const word = wordsOf(last).at(-1) ?? ''
  const values = Object.entries(objectOf(schema.properties)).map(([name, property]) => {
    const type = String(objectOf(property).type).toLowerCase()
    if (type === 'number' || type === 'integer') return [name, 1] as const
    return [name, type === 'boolean' ? true : word] as const
  })
  return { name: tool.name, arguments: Object.fromEntries<unknown>(values) }
}
