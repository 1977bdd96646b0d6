export { countEvent } from './count-event.ts'
export { startInference } from './gen-ai/inference.ts'
export type { Inference, InferenceCall, InferenceOutcome } from './gen-ai/inference.ts'
export { ATTRIBUTE, GEN_AI, GEN_AI_METRIC, METRIC, SPAN } from './names.ts'
export type { AttributeName, MetricName, SpanName } from './names.ts'
export { startRpcClientSpan, startRpcServerSpan } from './rpc-span.ts'
export type { RpcSpan } from './rpc-span.ts'
export { metricsText, stopTelemetry } from './running.ts'
export {
  activeTrace,
  setServerIdentity,
  setServerPath,
  setServerRequestId,
  setServerRoute,
} from './server-span.ts'
export { withSpan } from './with-span.ts'
