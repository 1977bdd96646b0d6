import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { Span } from '@opentelemetry/api'
import { ATTRIBUTE } from './names.ts'

/** The span of one remote procedure call, at either end. */
export interface RpcSpan {
  /** Runs `work` inside the span. */
  run<T>(work: () => T): T
  /** `code` is gRPC's; `failed` says whether it stands for a failure at this end. */
  end(outcome: { code: number; failed: boolean }): void
}

/** `service` with its package. */
interface Procedure {
  service: string
  method: string
}

/** The span of a call that is served; it continues the trace in `carrier` (W3C `traceparent`). */
export function startRpcServerSpan(procedure: Procedure, carrier: Record<string, string>): RpcSpan {
  const parent = propagation.extract(ROOT_CONTEXT, carrier)
  return rpcSpan(procedure, SpanKind.SERVER, parent)
}

/** The span of a call that is made, and what carries its trace to the other end. */
export function startRpcClientSpan(procedure: Procedure): RpcSpan & { carrier: Record<string, string> } {
  const span = rpcSpan(procedure, SpanKind.CLIENT, context.active())
  const carrier: Record<string, string> = {}
  span.run(() => {
    propagation.inject(context.active(), carrier)
  })
  return { ...span, carrier }
}

function rpcSpan({ service, method }: Procedure, kind: SpanKind, parent: typeof ROOT_CONTEXT): RpcSpan {
  const attributes = {
    [ATTRIBUTE.rpcSystem]: 'grpc',
    [ATTRIBUTE.rpcService]: service,
    [ATTRIBUTE.rpcMethod]: method,
  }
  // Named by the semantic conventions for RPC: the full method.
  const name = `${service}/${method}`
  const span: Span = trace.getTracer('waybill').startSpan(name, { kind, attributes }, parent)
  const inside = trace.setSpan(parent, span)
  return {
    run: (work) => context.with(inside, work),
    end({ code, failed }) {
      span.setAttribute(ATTRIBUTE.rpcStatus, code)
      if (failed) span.setStatus({ code: SpanStatusCode.ERROR })
      span.end()
    },
  }
}
