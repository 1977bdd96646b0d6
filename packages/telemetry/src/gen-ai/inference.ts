import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { Attributes } from '@opentelemetry/api'
import { ATTRIBUTE, GEN_AI } from '../names.ts'
import { contentAttributes, cutContent } from './content.ts'
import { instrumentsOfNow } from './instruments.ts'
import type { InferenceUsage } from './instruments.ts'
import { nameInMetrics } from './metric-names.ts'
import { requestParameters } from './request-parameters.ts'

// How a call to a model is told, from its first attempt to its last byte:
//
//   const inference = startInference({
//     operation: 'chat', provider: 'openai', model: 'gpt-5', stream: true, body, // parsed, for its parameters
//     server: { address: 'api.openai.com', port: 443 },
//   })
//   try {
//     const answer = await inference.run(() => client.send(request)) // spans within are its children
//     for await (const chunk of answer.body) { inference.firstChunk(); ... }
//     const { usage, id, model, finishReasons } = observer.observed()
//     inference.end({ usage, id, model, finishReasons })
//   } catch (error) {
//     inference.end({ error: 'timeout', usage }) // usage as far as it is known
//   }

/** A call to a model that is about to be made. */
export interface InferenceCall {
  /** `gen_ai.operation.name`: `chat`, `text_completion`, `embeddings`, `generate_content`, or another. */
  operation: string
  /** `gen_ai.provider.name`: `openai`, `anthropic`, `gcp.gemini`, `mistral_ai`, ... */
  provider: string
  /** As it was asked for. */
  model?: string | undefined
  stream?: boolean | undefined
  /** Where the provider is. */
  server?: Server | undefined
  /** The parsed request: its parameters are read, and its content where that is captured. */
  body?: unknown
}

interface Server {
  address: string
  port: number
}

/** How a call ended; what the provider did not say is left out. */
export interface InferenceOutcome {
  usage?: InferenceUsage | undefined
  id?: string | undefined
  model?: string | undefined
  finishReasons?: readonly string[] | undefined
  /** `error.type`: the provider's HTTP status (`429`), or a short word of few: `timeout`, `broken`, `client_closed`. */
  error?: string | undefined
  /** Who answered in the end, where that is another than the one first asked. */
  answeredBy?: { provider: string; server?: Server | undefined } | undefined
  /** What the model wrote; asked for only where content is captured. */
  output?: (() => string) | undefined
}

export interface Inference {
  /** Whether what people and models write is captured: otherwise nobody needs to collect it. */
  readonly capturesContent: boolean
  /** Runs `work` inside the span. */
  run<T>(work: () => T): T
  /** At the first chunk of a stream; further calls are passed over. */
  firstChunk(): void
  /** Once, however the call ended; further calls are passed over. */
  end(outcome: InferenceOutcome): void
}

/** Names come from strangers, and reasons from providers. */
const MAX_NAME_CHARS = 128
const MAX_REASONS = 16

/**
 * Starts the client span of one call to a model, `{operation} {model}`, retries and fallbacks included, and measures it
 * (OpenTelemetry's GenAI conventions; the newest vintage with OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental).
 * Content stays off unless OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true.
 */
export function startInference(call: InferenceCall): Inference {
  const { operation, provider, stream = false, server, body } = call
  const model = call.model?.slice(0, MAX_NAME_CHARS)
  const instruments = instrumentsOfNow()
  const { capturesContent, latest } = instruments
  const started = performance.now()
  const span = trace
    .getTracer('waybill')
    .startSpan(model === undefined ? operation : `${operation} ${model}`, {
      kind: SpanKind.CLIENT,
      attributes: {
        [GEN_AI.operation]: operation,
        [GEN_AI.provider]: provider,
        ...(model !== undefined && { [GEN_AI.requestModel]: model }),
        ...(stream && { [GEN_AI.stream]: true }),
        ...serverAttributes(server),
      },
    })
  // Nobody reads the attributes of a span that is not recorded.
  const isRecording = span.isRecording()
  if (isRecording) {
    span.setAttributes(requestParameters(body))
    if (capturesContent) span.setAttributes(contentAttributes(body))
  }
  const inside = trace.setSpan(context.active(), span)
  let firstChunkAfter: number | undefined
  let ended = false

  return {
    capturesContent: capturesContent && isRecording,
    run: (work) => context.with(inside, work),
    firstChunk() {
      if (stream) firstChunkAfter ??= (performance.now() - started) / 1000
    },
    end(outcome) {
      if (ended) return
      ended = true
      const { error, answeredBy, usage, output } = outcome
      const answeredModel = outcome.model?.slice(0, MAX_NAME_CHARS)
      // Without the server: it may be one of a user's own.
      const measured: Attributes = {
        [GEN_AI.operation]: operation,
        [GEN_AI.provider]: answeredBy?.provider ?? provider,
        // A model that nobody answered for is what a stranger typed: each would be a series of its own.
        ...(model !== undefined && error === undefined && { [GEN_AI.requestModel]: nameInMetrics(model) }),
        ...(answeredModel !== undefined && { [GEN_AI.responseModel]: nameInMetrics(answeredModel) }),
        ...(error !== undefined && { [ATTRIBUTE.errorType]: error }),
      }
      instruments.duration((performance.now() - started) / 1000, measured)
      if (firstChunkAfter !== undefined) instruments.timeToFirstChunk(firstChunkAfter, measured)
      instruments.tokens(usage, measured)
      if (isRecording) {
        span.setAttributes(responseAttributes(outcome, answeredModel, firstChunkAfter))
        span.setAttributes(usageAttributes(usage, latest))
        if (answeredBy) {
          span.setAttributes({
            [GEN_AI.provider]: answeredBy.provider,
            ...serverAttributes(answeredBy.server),
          })
        }
        if (capturesContent && output) span.setAttribute(GEN_AI.outputMessages, cutContent(output()))
        if (error !== undefined) {
          span.setStatus({ code: SpanStatusCode.ERROR })
          span.setAttribute(ATTRIBUTE.errorType, error)
        }
      }
      span.end()
    },
  }
}

function serverAttributes(server: Server | undefined): Attributes {
  return server ? { [GEN_AI.serverAddress]: server.address, [GEN_AI.serverPort]: server.port } : {}
}

function responseAttributes(
  { id, finishReasons = [] }: InferenceOutcome,
  model: string | undefined,
  firstChunkAfter: number | undefined,
): Attributes {
  return {
    ...(id !== undefined && { [GEN_AI.responseId]: id.slice(0, MAX_NAME_CHARS) }),
    ...(model !== undefined && { [GEN_AI.responseModel]: model }),
    ...(finishReasons.length > 0 && { [GEN_AI.finishReasons]: reasonsOf(finishReasons) }),
    ...(firstChunkAfter !== undefined && { [GEN_AI.timeToFirstChunk]: firstChunkAfter }),
  }
}

function usageAttributes(usage: InferenceUsage | undefined, latest: boolean): Attributes {
  if (!usage) return {}
  const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens } = usage
  const cacheWrite = latest ? GEN_AI.cacheWriteTokens : GEN_AI.cacheCreationTokens
  return {
    [GEN_AI.inputTokens]: inputTokens,
    [GEN_AI.outputTokens]: outputTokens,
    ...(cachedInputTokens !== undefined && { [GEN_AI.cacheReadTokens]: cachedInputTokens }),
    ...(cacheWriteTokens !== undefined && { [cacheWrite]: cacheWriteTokens }),
    ...(reasoningTokens !== undefined && { [GEN_AI.reasoningTokens]: reasoningTokens }),
  }
}

function reasonsOf(reasons: readonly string[]): string[] {
  return reasons.slice(0, MAX_REASONS).map((reason) => reason.slice(0, MAX_NAME_CHARS))
}
