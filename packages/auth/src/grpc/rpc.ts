import type { handleUnaryCall } from '@grpc/grpc-js'
import { checkOutput, requestContext, untilAborted, validate } from '@waybill/service-kit'
import type { Guard, Logger, Principal } from '@waybill/service-kit'
import type { z } from 'zod'
import { failed } from './gate.ts'

/** A unary method as its caller knows it. */
export interface RpcContract<Input extends z.ZodType, Output extends z.ZodType> {
  /** `package.Service/Method`. */
  path: string
  /** The message that is sent, as it is decoded. */
  input: Input
  /** The message that is answered, as it is to be encoded. */
  output: Output
}

/** What a handler gets: the message validated, the caller known. */
export interface RpcInput<Message, Who> {
  message: Message
  principal: Who
  requestId: string
  log: Logger
  /** Aborted when the client goes away or the time is up. */
  signal: AbortSignal
}

/** A method as data, as a Route is one of HTTP. */
export interface Rpc extends RpcContract<z.ZodType, z.ZodType> {
  auth: Guard
  handle: (input: RpcInput<unknown, Principal | undefined>) => Promise<unknown>
}

interface Handled<Input extends z.ZodType, Output extends z.ZodType, Who extends Principal | undefined> {
  /** Mandatory: a method that is open to all says why, with `open('why')`. */
  auth: Guard<Who>
  handle: (input: RpcInput<z.output<Input>, Who>) => Promise<z.input<Output>>
}

/** Declares a unary method from its contract. */
export function rpc<
  Input extends z.ZodType,
  Output extends z.ZodType,
  Who extends Principal | undefined = Principal | undefined,
>(contract: RpcContract<Input, Output>, spec: Handled<Input, Output, Who>): Rpc
// Where methods of all types stand in one list, validation guarantees what the signature above promises.
export function rpc(contract: RpcContract<z.ZodType, z.ZodType>, spec: Pick<Rpc, 'auth' | 'handle'>): Rpc {
  return { ...contract, ...spec }
}

/** The handler of a method for @grpc/grpc-js: validates the message, then the answer. The gate has let the caller in. */
export function unary({ input, output, handle }: Rpc): handleUnaryCall<unknown, unknown> {
  return ({ request }, respond) => {
    const context = requestContext()
    if (!context) throw new Error('no request context: the call did not come through the gate')
    const { principal, requestId, log, signal } = context
    const work = async (): Promise<unknown> => {
      signal.throwIfAborted()
      const { body: message } = validate({ body: input }, { params: {}, query: {}, body: request })
      return checkOutput(output, await handle({ message, principal, requestId, log, signal }))
    }
    untilAborted(work(), signal).then(
      (answer) => {
        respond(null, answer)
      },
      (error: unknown) => {
        respond(failed(error, { context }))
      },
    )
  }
}
