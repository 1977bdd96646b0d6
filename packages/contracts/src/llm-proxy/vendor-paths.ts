import type { VendorProtocol } from './errors.ts'

/** The first segment of the paths where a vendor's protocol is spoken. */
const BUILT_IN = {
  openai: 'openai',
  anthropic: 'anthropic',
  gemini: 'gemini',
  mistral: 'openai',
  openrouter: 'openai',
  v1: 'openai',
} as const satisfies Record<string, VendorProtocol>

/**
 * Tells which vendor's protocol a path is for, by its first segment; undefined for all paths of our own. `further` has the
 * providers of configuration by name; they cannot take the place of those that are built in.
 */
export function vendorPaths(
  further: Readonly<Record<string, VendorProtocol>> = {},
): (path: string) => VendorProtocol | undefined {
  const protocols = new Map<string, VendorProtocol>(Object.entries({ ...further, ...BUILT_IN }))
  return (path) => protocols.get(firstSegmentOf(path))
}

/** Our own endpoints for models: whoever has a vendor's client at hand may come with its headers here too, and with no URL that tells. */
const ASKED_LIKE_VENDORS: ReadonlySet<string> = new Set(['llm', 'execute', 'tokenize'])

/**
 * Tells by the path where a caller's credential may stand: anywhere that a vendor's SDK puts its key on those that `vendorOf` (see
 * vendorPaths) knows, in a header of theirs where models are asked in our own way, undefined on all others.
 */
export function sdkCredentialPaths(
  vendorOf: (path: string) => VendorProtocol | undefined,
): (path: string) => 'anywhere' | 'headers' | undefined {
  return (path) => {
    if (vendorOf(path) !== undefined) return 'anywhere'
    return ASKED_LIKE_VENDORS.has(firstSegmentOf(path)) ? 'headers' : undefined
  }
}

function firstSegmentOf(path: string): string {
  const end = path.indexOf('/', 1)
  // Express minds no case, so that /OpenAI/ leads to the same place.
  return (end < 0 ? path.slice(1) : path.slice(1, end)).toLowerCase()
}

/**
 * The names that no provider of configuration may have: first segments of paths that are taken, here or at the gateway.
 * `local` is the provider that needs no network.
 */
export const TAKEN_NAMES: ReadonlySet<string> = new Set([
  ...Object.keys(BUILT_IN),
  ...['keys', 'usage', 'llm', 'execute', 'tokenize', 'local'],
  ...['auth', 'oauth', 'data', 'work', 'docling', 'mcp'],
  ...['docs', 'openapi', 'livez', 'readyz', 'metrics'],
])
