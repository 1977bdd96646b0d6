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
  return (path) => {
    const end = path.indexOf('/', 1)
    // Express minds no case, so that /OpenAI/ leads to the same place.
    return protocols.get((end < 0 ? path.slice(1) : path.slice(1, end)).toLowerCase())
  }
}
