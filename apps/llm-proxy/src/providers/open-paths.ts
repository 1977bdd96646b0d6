import type { ProviderDefinition } from './provider-definition.ts'

/** Below where OpenAI's protocol begins: what models are asked, and not how their server is run. */
const OF_OPENAI = [
  ...['/chat/completions', '/completions', '/responses', '/embeddings', '/models', '/moderations'],
  ...['/audio', '/images', '/rerank', '/score', '/messages'],
]

const NATIVE = {
  openai: [],
  anthropic: ['/v1/messages', '/v1/complete', '/v1/models'],
  gemini: ['/v1beta/models', '/v1/models'],
} as const

/**
 * What is open of a provider that is private, or takes no key: its server would let anybody on the network do anything, load
 * and delete models for one, and the network is all that kept users away.
 */
export function modelPaths({
  protocol,
  openAiPath,
}: Pick<ProviderDefinition, 'protocol' | 'openAiPath'>): string[] {
  const openAi = openAiPath === undefined ? [] : OF_OPENAI.map((path) => openAiPath + path)
  return [...openAi, ...NATIVE[protocol.name]]
}

/** Whether users may ask for `path`: one of `paths`, or below it. */
export function isOpen(path: string, { paths }: Pick<ProviderDefinition, 'paths'>): boolean {
  return paths === undefined || paths.some((open) => path === open || path.startsWith(`${open}/`))
}
