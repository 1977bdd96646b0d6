import { fileURLToPath } from 'node:url'
import type { ServiceDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { substrateGrpc } from '@waybill/contracts'

/** The BasketService as its .proto file describes it. */
export function basketService(): ServiceDefinition {
  const found = loadSync(fileURLToPath(substrateGrpc.PROTO), substrateGrpc.LOADING)[
    substrateGrpc.BASKET_SERVICE
  ]
  // What has a format is a message or an enum.
  if (!found || 'format' in found)
    throw new Error(`${substrateGrpc.BASKET_SERVICE} is not in the .proto file`)
  return found // the index signature of a definition hides that it has no `format`
}
