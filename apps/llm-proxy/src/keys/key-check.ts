import type { ExternalClient } from '@waybill/http-client'
import { Problem, requestContext } from '@waybill/service-kit'
import type { Secret } from '@waybill/service-kit'
import { ANTHROPIC_VERSION } from '../protocols/anthropic.ts'
import type { ProviderDefinition } from '../providers/provider-definition.ts'
import { credentialHeaders } from '../relay/header-policy.ts'
import { readUpTo } from './read-up-to.ts'

/** `unreachable`: the provider could not be asked, or said neither. */
export type CheckResult = 'valid' | 'refused' | 'unreachable'

export type KeyCheck = (
  provider: ProviderDefinition,
  key: { secret: Secret; baseUrl: string | null },
) => Promise<CheckResult>

/** Of the body of a refusal, in bytes: enough for its reason. */
const MOST_OF_A_REFUSAL = 8_192

/** Where a provider lists its models, or says what a key may where everybody may see its models. */
const PATHS = new Map([
  ['anthropic', '/v1/models?limit=1'],
  ['gemini', '/v1beta/models?pageSize=1'],
  ['openrouter', '/v1/key'],
])

/** Asks a provider whether it knows a key, by a question that costs nothing. Never throws, and hands on nothing of the answer. */
export function createKeyCheck(
  client: Pick<ExternalClient, 'send'>,
  { timeoutMs, via }: { timeoutMs: number; via: string },
): KeyCheck {
  return async (provider, { secret, baseUrl }) => {
    const path = pathOf(provider)
    try {
      const { status, body } = await client.send({
        method: 'GET',
        url: addressOf(provider, baseUrl, path),
        headers: {
          ...{ accept: 'application/json', via },
          ...credentialHeaders(provider, secret.reveal(), path),
          ...(provider.protocol.name === 'anthropic' && ANTHROPIC_VERSION),
        },
        allowPrivate: provider.allowPrivate && baseUrl === null,
        timeoutMs,
        signal: untilGivenUp(timeoutMs),
      })
      try {
        if (status >= 200 && status < 300) return 'valid'
        if (status === 401) return 'refused'
        if (status !== 403 && status !== 400) return 'unreachable'
        return judge(status, await readUpTo(body, MOST_OF_A_REFUSAL))
      } finally {
        body.destroy()
      }
    } catch (error) {
      if (error instanceof Problem && error.code === 'bad_request') {
        // A place that may not be called was named by the user, or by who configured it.
        if (baseUrl !== null) throw error
        requestContext()?.log.error({ err: error, provider: provider.name }, 'a provider may not be called')
      }
      return 'unreachable'
    }
  }
}

/** The answer has to be whole in time too, and nobody asks for a caller who has gone. */
function untilGivenUp(timeoutMs: number): AbortSignal {
  const given = requestContext()?.signal
  const late = AbortSignal.timeout(timeoutMs)
  return given ? AbortSignal.any([given, late]) : late
}

function pathOf({ name, protocol, openAiPath }: ProviderDefinition): string {
  return PATHS.get(name) ?? PATHS.get(protocol.name) ?? `${openAiPath ?? '/v1'}/models`
}

function addressOf(provider: ProviderDefinition, baseUrl: string | null, path: string): string {
  const url = new URL((baseUrl ?? provider.baseUrl) + path)
  for (const [name, value] of Object.entries(provider.query ?? {})) url.searchParams.set(name, value)
  return url.href
}

/** A key that may not list models is a good one; Google says of a bad key that the request is (API_KEY_INVALID). */
function judge(status: number, text: string): CheckResult {
  if (status === 403) return /missing scopes/i.test(text) ? 'valid' : 'refused'
  return /API_KEY_INVALID|API key not valid/i.test(text) ? 'refused' : 'unreachable'
}
