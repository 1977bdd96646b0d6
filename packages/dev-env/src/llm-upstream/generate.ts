import { createHash } from 'node:crypto'
import type { Asked, ToolCall } from './asked.ts'
import { faultOf } from './faults.ts'
import type { Fault } from './faults.ts'

/** What the mock's one model makes of a prompt; the same for the same prompt, model and key. */
export interface Generated {
  /** Hexadecimal, for the vendor's ids. */
  id: string
  /** The text, a token at a time. */
  pieces: () => Iterable<string>
  /** The tool that it calls, in place of text. */
  tool: ToolCall | undefined
  inputTokens: number
  outputTokens: number
  /** Whether `max_tokens` ended it. */
  isCut: boolean
  /** Whether the answer says how many tokens there were. */
  saysUsage: boolean
}

/** The time of every answer, in seconds. */
export const CREATED = 1_760_000_000

/**
 * An echo: the last four characters of the key in brackets, then the words of the last message. A word is a token, of the prompt
 * as of the answer; a tool call is as many as its arguments.
 */
export function generate(asked: Asked, key: string, faults: readonly Fault[]): Generated {
  const { model, last, words, tool, maxTokens = Infinity } = asked
  const echo = [`[${key}]`, ...last.split(/\s+/).filter(Boolean)]
  const wanted = faultOf(faults, 'chunks')?.count ?? echo.length
  const count = Math.min(wanted, maxTokens)
  const padding = 'x'.repeat(faultOf(faults, 'wide')?.bytes ?? 0)
  return {
    id: createHash('sha256').update(`${model}\n${last}\n${key}`).digest('hex').slice(0, 24),
    *pieces() {
      for (let at = 0; at < count; at += 1) {
        yield `${at === 0 ? '' : ' '}${echo[at] ?? `word-${at}`}${padding}`
      }
    },
    tool,
    inputTokens: words.length,
    outputTokens: tool ? Object.keys(tool.arguments).length + 1 : count,
    isCut: tool === undefined && count < wanted,
    saysUsage: faultOf(faults, 'no-usage') === undefined,
  }
}

export function wholeText({ pieces }: Generated): string {
  return [...pieces()].join('')
}

/** What streams of a tool's arguments: JSON, torn where it hurts. */
export function argumentPieces(tool: ToolCall): string[] {
  const json = JSON.stringify(tool.arguments)
  const middle = Math.ceil(json.length / 2)
  return [json.slice(0, middle), json.slice(middle)]
}
