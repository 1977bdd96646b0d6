import { SDK_SCHEMES, user } from '@waybill/auth'
import { route } from '@waybill/service-kit'
import type { ProblemCode, Route } from '@waybill/service-kit'
import { openAiProtocol } from '../protocols/openai.ts'
import type { Protocol } from '../protocols/protocol.ts'
import type { Catalog, ProviderDefinition } from '../providers/provider-definition.ts'
import { isUnmetered } from '../relay/estimate.ts'
import { incomingBody } from '../relay/incoming.ts'
import type { BodyLimits } from '../relay/incoming.ts'
import type { Relay } from '../relay/relay.ts'
import { wirePath } from '../relay/upstream-url.ts'
import { CACHE_HEADER, ERROR_BODIES, KEY_HEADER, nativeBody } from './described.ts'

export interface PassthroughOptions extends BodyLimits {
  relay: Relay
  /** In milliseconds. */
  timeoutMs: number
}

/** Beside the usual ones, what is told of a request that goes to a provider. */
export const RELAY_PROBLEMS: readonly ProblemCode[] = [
  ...(['bad_request', 'invalid_json', 'not_found', 'payload_too_large', 'unsupported_media_type'] as const),
  ...(['upstream_failed', 'unavailable', 'timeout', 'loop_detected'] as const),
]

/** One route per provider: what is behind its name goes to it as it came, but with the user's own key. */
export function passthroughRoutes(catalog: Catalog, options: PassthroughOptions): Route[] {
  return catalog.all().flatMap((provider) => {
    const { name, protocol, openAiPath } = provider
    const native = passthrough(provider, `/${name}/*path`, protocol, options)
    if (openAiPath === undefined || protocol === openAiProtocol) return [native]
    // Below this path it speaks OpenAI's protocol, and so do our errors.
    return [passthrough(provider, `/${name}${openAiPath}/*path`, openAiProtocol, options), native]
  })
}

function passthrough(
  provider: ProviderDefinition,
  pattern: string,
  protocol: Protocol,
  { relay, timeoutMs, ...limits }: PassthroughOptions,
): Route {
  return route('ALL', pattern, {
    auth: user('agents.query'),
    summary: `Passes on to ${provider.name}, in its own protocol.`,
    bodyType: 'stream',
    bodyLimitBytes: limits.bodyLimitBytes,
    timeoutMs,
    renderProblem: (document) => protocol.errorBody(document),
    problems: RELAY_PROBLEMS,
    describes: {
      body: nativeBody,
      mediaTypes: ['*/*'],
      answers: ['*/*'],
      schemes: SDK_SCHEMES.anywhere,
      requestHeaders: { ...(provider.needsKey && KEY_HEADER), ...CACHE_HEADER },
      error: ERROR_BODIES[protocol.name],
    },
    async handle({ req, res, principal, log, signal }) {
      const { path, query } = wirePath(req.originalUrl, `/${provider.name}`)
      const operation = provider.protocol.operationOf(path)
      await relay.admitted(req, principal, async (hasEntered) => {
        const { draft, body } = await incomingBody(req, operation, limits, signal)
        const call = {
          ...{ principal, log, signal, provider, protocol, operation, draft, body, query, hasEntered },
          method: req.method,
          unmetered: isUnmetered(provider, req.method, path),
          headers: req.headers,
          model: provider.protocol.modelIn(path) ?? draft?.model,
          stream: draft?.stream === true || provider.protocol.streamsBy(path),
          destination: (target: ProviderDefinition) => ({ path: pathAt(target, path, provider) }),
        }
        await relay.relay(call, res)
      })
      return undefined
    },
  })
}

/** The same path at another provider of the same protocol, which may have it below another one. */
function pathAt(target: ProviderDefinition, path: string, asked: ProviderDefinition): string {
  const { openAiPath } = asked
  if (target.name === asked.name || openAiPath === undefined || target.openAiPath === undefined) return path
  return path.startsWith(`${openAiPath}/`) ? target.openAiPath + path.slice(openAiPath.length) : path
}
