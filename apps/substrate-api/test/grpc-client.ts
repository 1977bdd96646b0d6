import { fileURLToPath } from 'node:url'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import type { CallOptions, ChannelCredentials, ServiceError, status } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { ServiceDefinition } from '@grpc/proto-loader'
import { substrateGrpc } from '@waybill/contracts'

export type Method = 'CreateBasket' | 'GetBasket' | 'ListBaskets' | 'DeleteBasket'

/** Every member that an answer of the service may have. */
export interface Message {
  id?: string
  name?: string
  metadata?: Struct
  basket?: { id: string; created_by: string }
  created?: boolean
  items?: { id: string; name: string }[]
  next_cursor?: string
}

interface Struct {
  fields: Record<string, StructValue>
}
interface StructValue {
  stringValue?: string
  numberValue?: number
  structValue?: Struct
  listValue?: { values: StructValue[] }
}

export interface Answer {
  code: status
  details: string
  /** The message as it was decoded; without members when the call failed. */
  value: Message
  trailers: Record<string, unknown>
}

export interface BasketClient {
  call(
    method: Method,
    message: object,
    metadata?: Record<string, string>,
    options?: CallOptions,
  ): Promise<Answer>
  close(): void
}

/** A client of its own, that knows the service from the .proto file alone. */
export function basketClient(
  address: string,
  channel: ChannelCredentials = credentials.createInsecure(),
): BasketClient {
  const loaded = loadSync(fileURLToPath(substrateGrpc.PROTO), substrateGrpc.LOADING)
  const definition = loaded[substrateGrpc.BASKET_SERVICE] as ServiceDefinition // a service, as its name says
  const client = new Client(address, channel, { 'grpc.use_local_subchannel_pool': 1 })
  return {
    call(method, message, metadata = {}, options = {}) {
      const { path, requestSerialize, responseDeserialize } = definition[method]!
      const sent = new Metadata()
      for (const [name, value] of Object.entries(metadata)) sent.set(name, value)
      return new Promise((resolve) => {
        let value: Message = {}
        const answered = (_error: ServiceError | null, given?: object): void => {
          value = given ?? {}
        }
        client
          .makeUnaryRequest(path, requestSerialize, responseDeserialize, message, sent, options, answered)
          .on('status', ({ code, details, metadata: trailers }) => {
            setImmediate(() => resolve({ code, details, value, trailers: trailers.getMap() }))
          })
      })
    },
    close: () => client.close(),
  }
}
