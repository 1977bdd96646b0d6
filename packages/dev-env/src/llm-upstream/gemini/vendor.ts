import { headerOf } from '../credential.ts'
import type { Vendor } from '../vendor.ts'
import { geminiError, geminiErrorFrame, geminiUnauthorized } from './errors.ts'
import {
  countTokens,
  embedContent,
  generateContent,
  models,
  streamGenerateContent,
} from './generate-content.ts'

const METHOD = /^\/v1(?:beta|alpha)?\/models\/([^/:]+):(\w+)$/

export const gemini: Vendor = {
  name: 'gemini',
  credential: (headers, query) => headerOf(headers['x-goog-api-key']) ?? query.get('key') ?? undefined,
  inPath(path) {
    const [, model, method] = METHOD.exec(path) ?? []
    return model === undefined ? {} : { model, isStream: method === 'streamGenerateContent' }
  },
  headers: () => ({ 'server-timing': 'gfet4t7; dur=7', vary: 'Origin, X-Origin, Referer' }),
  answer({ method, path, query, asked, made }) {
    if (method === 'GET') return path.endsWith('/models') ? models() : undefined
    switch (METHOD.exec(path)?.[2]) {
      case 'generateContent':
        return generateContent(asked, made)
      case 'streamGenerateContent':
        return streamGenerateContent(asked, made, query.get('alt'))
      case 'countTokens':
        return countTokens(made)
      case 'embedContent':
      case 'batchEmbedContents':
        return embedContent(asked)
      default:
        return undefined
    }
  },
  error: (status) => geminiError(status),
  unauthorized: geminiUnauthorized,
  malformed: () => geminiError(400),
  errorFrame: geminiErrorFrame,
}
