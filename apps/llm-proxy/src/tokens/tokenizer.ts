import { readVocabulary, splitIntoTokens } from './byte-pair.ts'
import type { Vocabulary } from './byte-pair.ts'
import { createPace } from '../text/pace.ts'

export type EncodingName = 'o200k_base' | 'cl100k_base'

/** OpenAI's byte-pair encodings. Every call may be abandoned by its signal and leaves the event loop room between slices. */
export interface Tokenizer {
  /** The ids of the tokens of `text`; special tokens such as `<|endoftext|>` are read as plain text. */
  encode(text: string, encoding: EncodingName, signal?: AbortSignal): Promise<number[]>
  /** How many tokens `text` has. */
  count(text: string, encoding: EncodingName, signal?: AbortSignal): Promise<number>
  /**
   * `text` in consecutive slices of at most `maxTokens` tokens, cut between words where it can be and between characters
   * otherwise; only a character that has more tokens by itself makes a larger slice.
   */
  slices(text: string, maxTokens: number, encoding: EncodingName, signal?: AbortSignal): AsyncIterable<Slice>
}

export interface Slice {
  text: string
  tokens: number
}

interface Encoding {
  pattern: string
  vocabulary: Vocabulary
}

/** A piece longer than this (hardly any text has one) is cut, since a piece is done without a pause; its count may differ by one. */
const LONGEST_PIECE = 8192

/** Returns a tokenizer that reads an encoding's ranks (from js-tiktoken, no network) when it is first asked for. */
export function createTokenizer(): Tokenizer {
  const encodings = new Map<EncodingName, Promise<Encoding>>()
  const load = (name: EncodingName) => {
    const loaded = encodings.get(name) ?? readEncoding(name)
    encodings.set(name, loaded)
    return loaded
  }

  async function* tokensOf(text: string, name: EncodingName, signal?: AbortSignal): AsyncGenerator<string[]> {
    const { pattern, vocabulary } = await load(name)
    const pace = createPace(signal)
    for (const [match] of text.matchAll(new RegExp(pattern, 'gu'))) {
      for (const piece of cut(match)) {
        if (pace.isDue(piece.length)) await pace.pause()
        yield splitIntoTokens(bytesOf(piece), vocabulary)
      }
    }
  }

  return {
    async encode(text, name, signal) {
      const { vocabulary } = await load(name)
      const ids: number[] = []
      for await (const tokens of tokensOf(text, name, signal)) {
        for (const token of tokens) ids.push(vocabulary.get(token) ?? 0)
      }
      return ids
    },
    async count(text, name, signal) {
      let count = 0
      for await (const tokens of tokensOf(text, name, signal)) count += tokens.length
      return count
    },
    async *slices(text, maxTokens, name, signal) {
      let open: string[] = []
      for await (const tokens of tokensOf(text, name, signal)) {
        if (open.length > 0 && open.length + tokens.length > maxTokens) {
          yield sliceOf(open)
          open = []
        }
        for (const group of groupsOf(tokens, maxTokens)) {
          if (open.length > 0 && open.length + group.length > maxTokens) {
            yield sliceOf(open)
            open = []
          }
          open.push(...group)
        }
      }
      if (open.length > 0) yield sliceOf(open)
    },
  }
}

async function readEncoding(name: EncodingName): Promise<Encoding> {
  const { default: ranks } =
    name === 'o200k_base'
      ? await import('js-tiktoken/ranks/o200k_base')
      : await import('js-tiktoken/ranks/cl100k_base')
  return { pattern: ranks.pat_str, vocabulary: readVocabulary(ranks.bpe_ranks) }
}

function* cut(match: string): Generator<string> {
  let start = 0
  while (start < match.length) {
    let end = start + LONGEST_PIECE
    if (isLowSurrogate(match.charCodeAt(end))) end--
    yield match.slice(start, end)
    start = end
  }
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff
}

function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function sliceOf(tokens: readonly string[]): Slice {
  return { text: Buffer.from(tokens.join(''), 'latin1').toString('utf8'), tokens: tokens.length }
}

/** `tokens` in groups of at most `max` that end between two characters. */
function* groupsOf(tokens: string[], max: number): Generator<string[]> {
  let start = 0
  while (start < tokens.length) {
    let end = Math.min(start + max, tokens.length)
    while (end > start + 1 && continuesCharacter(tokens[end])) end--
    while (continuesCharacter(tokens[end])) end++
    yield tokens.slice(start, end)
    start = end
  }
}

/** Says whether a token begins with a continuation byte of UTF-8 (RFC 3629 section 3). */
function continuesCharacter(token: string | undefined): boolean {
  return token !== undefined && (token.charCodeAt(0) & 0xc0) === 0x80
}
