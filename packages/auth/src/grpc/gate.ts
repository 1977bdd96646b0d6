import { ServerInterceptingCall } from '@grpc/grpc-js'
import type { Metadata, ServerInterceptor } from '@grpc/grpc-js'
import { asProblem, enforce, REQUEST_ID_HEADER, subjectOf, untilAborted } from '@waybill/service-kit'
import type { Authenticated, Guard, Logger } from '@waybill/service-kit'
import { setServerIdentity } from '@waybill/telemetry'
import type { PeerIdentity } from '../mtls/peers.ts'
import { presentedIn } from '../presented.ts'
import type { PresentedCredentials } from '../presented.ts'
import { beginCall } from './call.ts'
import type { Call } from './call.ts'
import type { Ends } from './listener.ts'
import type { RawHeaders } from './raw-headers.ts'
import { failureOf } from './status.ts'

export interface GateOptions {
  /** By `package.Service/Method`; a method that is not here is never let in. */
  guards: Readonly<Record<string, Guard>>
  credentials: { verify(presented: PresentedCredentials): Promise<Authenticated | undefined> }
  rawHeaders: RawHeaders
  /**
   * Who the client certificate of that connection proved the caller to be.
   * @throws Problem invalid_token for a certificate that is not accepted
   */
  peerOf(connection: Ends): PeerIdentity | undefined
  log: Logger
  /** The longest that a call may take, in milliseconds. */
  timeoutMs: number
}

/**
 * The way in for every call, in the order of an HTTP request: id and deadline, who (UNAUTHENTICATED), may they
 * (PERMISSION_DENIED). Nothing of the message is read before the caller has passed.
 */
export function createGate(options: GateOptions): ServerInterceptor {
  return ({ path }, inner) => {
    const name = path.slice(1)
    const rawHeaders = options.rawHeaders.ofBeginningCall()
    const deadline = Number(inner.getDeadline())
    const call = beginCall({ name, rawHeaders, deadline, log: options.log, timeoutMs: options.timeoutMs })
    const admit = () => identify(options, name, { rawHeaders, connection: inner.getConnectionInfo() }, call)

    const outer = new ServerInterceptingCall(inner, {
      start(next) {
        next({
          onReceiveMetadata(metadata, pass) {
            call
              .run(() => untilAborted(admit(), call.context.signal))
              .then(
                () => {
                  call.run(() => {
                    pass(metadata)
                  })
                },
                (error: unknown) => {
                  outer.sendStatus(call.run(() => failed(error, call)))
                },
              )
          },
          onReceiveMessage(message, pass) {
            call.run(() => {
              pass(message)
            })
          },
          onReceiveHalfClose(pass) {
            call.run(pass)
          },
          onCancel() {
            call.cancel()
          },
        })
      },
      sendMetadata(metadata, pass) {
        pass(stamped(metadata, call))
      },
      sendStatus(outcome, pass) {
        call.end(outcome.code)
        pass(outcome)
      },
    })
    return outer
  }
}

/** How a call ends for what was thrown in it, with the line in the log that says why. */
export function failed(error: unknown, { context }: Pick<Call, 'context'>) {
  const problem = asProblem(error)
  if (problem.status >= 500)
    context.log.error({ err: problem.cause ?? problem, code: problem.code }, problem.message)
  else context.log.info({ code: problem.code, detail: problem.message }, 'refused')
  return failureOf(problem)
}

async function identify(
  options: GateOptions,
  name: string,
  from: { rawHeaders: readonly string[]; connection: Ends },
  { context }: Call,
): Promise<void> {
  const guard = Object.hasOwn(options.guards, name) ? options.guards[name] : undefined
  if (!guard) throw new Error(`${name} has no guard`)
  const peer = options.peerOf(from.connection)
  if (guard.open) return
  const caller = await options.credentials.verify(presentedIn(from.rawHeaders, peer))
  context.principal = caller?.principal
  context.credential = caller?.credential
  if (caller) {
    const { principal } = caller
    setServerIdentity({ subject: subjectOf(principal), actors: principal.actors, via: principal.via })
  }
  enforce(guard, caller?.principal)
}

function stamped(metadata: Metadata, { context }: Call): Metadata {
  metadata.set(REQUEST_ID_HEADER, context.requestId)
  return metadata
}
