import type { GrpcServer } from '@waybill/auth/grpc'
import { FatalStartError } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'

export interface GrpcEndpoint {
  /** A start task: listens. Begins to drain when `signal` aborts, as HTTP does at that moment. */
  start(signal: AbortSignal): Promise<void>
  /** Where it listens, `host:port`; undefined before. */
  address(): string | undefined
  close(): Promise<void>
}

/** The place at which gRPC is served. @throws FatalStartError naming the variable when it cannot be had */
export function grpcEndpoint(
  server: GrpcServer,
  { host, port, log }: { host: string; port: number; log: Logger },
): GrpcEndpoint {
  let address: string | undefined
  return {
    async start(signal) {
      signal.addEventListener('abort', () => void server.close(), { once: true })
      const listening = await server.listen({ host, port }).catch((error: unknown) => {
        throw refused(`${host}:${port}`, error)
      })
      address = `${host}:${listening.port}`
      log.info({ grpc: address }, 'listening for gRPC')
    },
    address: () => address,
    close: () => server.close(),
  }
}

function refused(where: string, cause: unknown): FatalStartError {
  const isTaken = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE'
  const message = isTaken
    ? `${where} is taken. Stop what listens there, or set GRPC_PORT.`
    : `${where} cannot be listened on: see GRPC_HOST and GRPC_PORT.`
  return new FatalStartError(`gRPC: ${message}`, { cause })
}
