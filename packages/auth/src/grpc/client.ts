import { InterceptingCall, status } from '@grpc/grpc-js'
import type { Interceptor, Metadata } from '@grpc/grpc-js'
import { asProblem, REQUEST_ID_HEADER, requestContext } from '@waybill/service-kit'
import { startRpcClientSpan } from '@waybill/telemetry'
import { expectedIdentity, IDENTITY_HEADERS } from '../principal/identity-headers.ts'
import { failureOf } from './status.ts'

export interface GrpcClientOptions {
  /** The service that calls. */
  self: string
  /**
   * An access token for the service that is called: on behalf of the request's subject, or in the caller's own name.
   * Absent where the client certificate is all there is.
   */
  token?: (() => Promise<string>) | undefined
}

/** What a caller may not say for itself; spellings with underscores count too. */
const REPLACED = new Set(
  [
    'authorization',
    'x-api-key',
    'baggage',
    'traceparent',
    'tracestate',
    REQUEST_ID_HEADER,
    ...IDENTITY_HEADERS,
  ].map((name) => name.toLowerCase()),
)

/**
 * Stamps each call with the credential, identity, request id, trace and deadline of the request being served; what the
 * caller set of these is removed first.
 */
export function createStamp({ self, token }: GrpcClientOptions): Interceptor {
  return (options, nextCall) => {
    const context = requestContext()
    const span = startRpcClientSpan(procedureOf(options.method_definition.path))
    const deadline = Math.min(
      Number(options.deadline ?? Number.POSITIVE_INFINITY),
      context?.deadline ?? Number.POSITIVE_INFINITY,
    )
    const call = nextCall({ ...options, ...(Number.isFinite(deadline) && { deadline }) })
    return new InterceptingCall(call, {
      start(metadata, listener, next) {
        const stamp = (authorization: string | undefined): Metadata => {
          const stamped = withoutReplaced(metadata)
          const principal = context?.principal
          const identity = {
            ...(principal && expectedIdentity(principal)),
            'X-Service-Name': self,
          }
          for (const [name, value] of Object.entries(identity)) stamped.set(name, value)
          if (context) stamped.set(REQUEST_ID_HEADER, context.requestId)
          for (const [name, value] of Object.entries(span.carrier)) stamped.set(name, value)
          if (authorization !== undefined) stamped.set('authorization', `Bearer ${authorization}`)
          return stamped
        }
        const ending = {
          onReceiveStatus(
            outcome: { code: status; details: string; metadata: Metadata },
            pass: (outcome: { code: status; details: string; metadata: Metadata }) => void,
          ) {
            span.end({ code: outcome.code, failed: outcome.code !== status.OK })
            pass(outcome)
          },
        }
        const begin = async (): Promise<void> => {
          next(stamp(await token?.()), ending)
        }
        // Whatever keeps the call from beginning ends it: no token, or an identity that metadata cannot hold.
        begin().catch((error: unknown) => {
          const failure = failureOf(asProblem(error))
          span.end({ code: failure.code, failed: true })
          listener.onReceiveStatus(failure)
        })
      },
    })
  }
}

function procedureOf(path: string): { service: string; method: string } {
  const [, service = '', method = ''] = path.split('/')
  return { service, method }
}

function withoutReplaced(metadata: Metadata): Metadata {
  const kept = metadata.clone()
  for (const name of Object.keys(metadata.getMap())) {
    if (REPLACED.has(name.replaceAll('_', '-'))) kept.remove(name)
  }
  return kept
}
