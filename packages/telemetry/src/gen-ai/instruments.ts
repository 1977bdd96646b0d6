import { metrics } from '@opentelemetry/api'
import type { Attributes, Meter, MeterProvider } from '@opentelemetry/api'
import { GEN_AI, GEN_AI_METRIC } from '../names.ts'

/** Tokens as the provider counted them; of all but the first two it may say nothing. */
export interface InferenceUsage {
  /** All of the input, what came from a cache or was put there included. */
  inputTokens: number
  outputTokens: number
  cachedInputTokens?: number | undefined
  cacheWriteTokens?: number | undefined
  /** Those of the output that nobody sees. */
  reasoningTokens?: number | undefined
}

/** What is measured of calls to models; times in seconds. */
export interface Instruments {
  /** Whether names are those of the newest vintage. */
  latest: boolean
  /** Whether what people and models write may stand on spans. */
  capturesContent: boolean
  duration(seconds: number, attributes: Attributes): void
  timeToFirstChunk(seconds: number, attributes: Attributes): void
  /** `usage`: undefined where the provider did not say. */
  tokens(usage: InferenceUsage | undefined, attributes: Attributes): void
}

/** As the conventions advise. */
const SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
const TOKENS = Array.from({ length: 14 }, (_, power) => 4 ** power)

let made: { provider: MeterProvider; instruments: Instruments } | undefined

/** Those of this process, made once: and once more when telemetry starts after the first use. */
export function instrumentsOfNow(): Instruments {
  const provider = metrics.getMeterProvider()
  if (made?.provider !== provider) made = { provider, instruments: create(provider.getMeter('waybill')) }
  return made.instruments
}

function create(meter: Meter, env: NodeJS.ProcessEnv = process.env): Instruments {
  const optedIn = (env.OTEL_SEMCONV_STABILITY_OPT_IN ?? '').split(',').map((name) => name.trim())
  const latest = optedIn.includes('gen_ai_latest_experimental')
  const content = env.OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT ?? ''
  const capturesContent = content.trim().toLowerCase() === 'true'
  return { latest, capturesContent, ...(latest ? latestVintage(meter) : releasedVintage(meter)) }
}

type Measures = Omit<Instruments, 'latest' | 'capturesContent'>

function releasedVintage(meter: Meter): Measures {
  const duration = histogram(meter, GEN_AI_METRIC.duration, 's', SECONDS)
  const timeToFirstChunk = histogram(meter, GEN_AI_METRIC.timeToFirstChunk, 's', SECONDS)
  const tokenUsage = histogram(meter, GEN_AI_METRIC.tokenUsage, '{token}', TOKENS)
  return {
    duration,
    timeToFirstChunk,
    tokens(usage, attributes) {
      if (!usage) return
      tokenUsage(usage.inputTokens, { ...attributes, [GEN_AI.tokenType]: 'input' })
      tokenUsage(usage.outputTokens, { ...attributes, [GEN_AI.tokenType]: 'output' })
    },
  }
}

function latestVintage(meter: Meter): Measures {
  const inputPerCall = histogram(meter, GEN_AI_METRIC.latestInputTokens, '{token}', TOKENS)
  const outputPerCall = histogram(meter, GEN_AI_METRIC.latestOutputTokens, '{token}', TOKENS)
  const input = counter(meter, GEN_AI_METRIC.latestInputUsage)
  const output = counter(meter, GEN_AI_METRIC.latestOutputUsage)
  const cacheRead = counter(meter, GEN_AI_METRIC.latestCacheReadUsage)
  const cacheWrite = counter(meter, GEN_AI_METRIC.latestCacheWriteUsage)
  const reasoning = counter(meter, GEN_AI_METRIC.latestReasoningUsage)
  return {
    duration: histogram(meter, GEN_AI_METRIC.latestDuration, 's', SECONDS),
    timeToFirstChunk: histogram(meter, GEN_AI_METRIC.latestTimeToFirstChunk, 's', SECONDS),
    tokens(usage, attributes) {
      // Providers say what an image cost as part of one sum, if at all.
      const counted = { ...attributes, [GEN_AI.tokenModality]: 'unknown' }
      input(usage?.inputTokens ?? 0, counted)
      output(usage?.outputTokens ?? 0, counted)
      if (!usage) return
      inputPerCall(usage.inputTokens, attributes)
      outputPerCall(usage.outputTokens, attributes)
      if (usage.cachedInputTokens !== undefined) cacheRead(usage.cachedInputTokens, counted)
      if (usage.cacheWriteTokens !== undefined) cacheWrite(usage.cacheWriteTokens, counted)
      if (usage.reasoningTokens !== undefined) reasoning(usage.reasoningTokens, counted)
    },
  }
}

type Record = (value: number, attributes: Attributes) => void

function histogram(meter: Meter, name: string, unit: string, boundaries: number[]): Record {
  const made = meter.createHistogram(name, { unit, advice: { explicitBucketBoundaries: boundaries } })
  return (value, attributes) => {
    made.record(value, attributes)
  }
}

function counter(meter: Meter, name: string): Record {
  const made = meter.createCounter(name, { unit: '{token}' })
  return (value, attributes) => {
    made.add(value, attributes)
  }
}
