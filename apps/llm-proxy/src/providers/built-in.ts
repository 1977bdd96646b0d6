import { anthropicProtocol as anthropic } from '../protocols/anthropic.ts'
import { geminiProtocol as gemini } from '../protocols/gemini.ts'
import { openAiProtocol as openai } from '../protocols/openai.ts'
import type { Protocol } from '../protocols/protocol.ts'
import type { ProviderDefinition } from './provider-definition.ts'

/** The wire protocols that a provider may speak. */
export const PROTOCOLS = { openai, anthropic, gemini } satisfies Record<Protocol['name'], Protocol>

const common = {
  allowPrivate: false,
  needsKey: true,
  includeUsage: false,
  maxTokensParameter: 'max_tokens',
} as const

/** The providers that are there without configuration. */
export const BUILT_IN = [
  {
    ...common,
    name: 'openai',
    protocol: openai,
    baseUrl: 'https://api.openai.com',
    openAiPath: '/v1',
    telemetryName: 'openai',
    includeUsage: true,
    maxTokensParameter: 'max_completion_tokens',
  },
  {
    ...common,
    name: 'anthropic',
    protocol: anthropic,
    baseUrl: 'https://api.anthropic.com',
    openAiPath: undefined,
    telemetryName: 'anthropic',
  },
  {
    ...common,
    name: 'gemini',
    protocol: gemini,
    baseUrl: 'https://generativelanguage.googleapis.com',
    openAiPath: '/v1beta/openai',
    telemetryName: 'gcp.gemini',
    includeUsage: true,
  },
  // Mistral says its usage in the last chunk unasked, and refuses members that it does not know.
  {
    ...common,
    name: 'mistral',
    protocol: openai,
    baseUrl: 'https://api.mistral.ai',
    openAiPath: '/v1',
    telemetryName: 'mistral_ai',
  },
  // OpenRouter says its usage unasked too: https://openrouter.ai/docs/use-cases/usage-accounting
  {
    ...common,
    name: 'openrouter',
    protocol: openai,
    baseUrl: 'https://openrouter.ai/api',
    openAiPath: '/v1',
    telemetryName: 'openrouter',
  },
] as const satisfies readonly ProviderDefinition[]
