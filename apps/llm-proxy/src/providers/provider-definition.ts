import type { Protocol } from '../protocols/protocol.ts'

/** OpenAI's reasoning models refuse the older one; others know no other, or refuse members that they do not know. */
export const MAX_TOKENS_PARAMETERS = ['max_completion_tokens', 'max_tokens'] as const
export type MaxTokensParameter = (typeof MAX_TOKENS_PARAMETERS)[number]

/** A provider as this service was told of it: the five that are built in, and those of PROVIDERS_FILE. */
export interface ProviderDefinition {
  /** Its path here (`/openai/...`), its prefix in model names (`openai/gpt-...`), and its name in /keys. */
  name: string
  protocol: Protocol
  /** What the path behind `/<name>` is put after, without a slash at the end: `https://api.openai.com`. */
  baseUrl: string
  /** The path of OpenAI's protocol version below it, for `/v1/*` and `/llm`: `/v1`, `/v1beta/openai`; undefined where it speaks no OpenAI. */
  openAiPath: string | undefined
  /** In OpenTelemetry's `gen_ai.provider.name`: `openai`, `gcp.gemini`. */
  telemetryName: string
  /** Whether an operator vouches for its address, which may then be a private one. */
  allowPrivate: boolean
  /** False for one that takes no key (Ollama on the same host). */
  needsKey: boolean
  /** The header that the key stands in, in place of the protocol's: Azure's `api-key`. */
  credentialHeader?: string
  /** The paths below its base URL that users may ask for, each with all that is below it; all of them unless said. */
  paths?: readonly string[]
  /** Members that every URL gets: Azure's `api-version`. */
  query?: Readonly<Record<string, string>>
  /** Whether `stream_options.include_usage` may be asked for. */
  includeUsage: boolean
  /** By which member of a chat completion request it is told the most tokens of the answer. */
  maxTokensParameter: MaxTokensParameter
}

/** The providers there are. */
export interface Catalog {
  all(): readonly ProviderDefinition[]
  /** Undefined when there is none of that name. */
  find(name: string): ProviderDefinition | undefined
}
