import type { ServerResponse } from 'node:http'
import type { llmProxy } from '@waybill/contracts'
import type { UserPrincipal } from '@waybill/service-kit'
import type { Answerer } from '../models.ts'
import type { Operation } from '../protocols/protocol.ts'
import type { CallOutcome, Meter } from './meter.ts'

/** A request that a model of this service answers: nobody is paid, but a processor is busy. */
export interface LocalCall {
  principal: UserPrincipal
  /** Who does the work. */
  answerer: Pick<Answerer, 'model' | 'isOwn'> & { provider: { name: string } }
  operation: Operation
  stream?: boolean | undefined
  /** What is read for it. */
  texts: readonly string[]
  /** Whether its request and its place are counted already. */
  hasEntered?: boolean | undefined
  signal: AbortSignal
  res: Pick<ServerResponse, 'setHeader'>
}

/** To be told when the tokens of a call are known. */
export type Used = (usage: Pick<llmProxy.Usage, 'input_tokens' | 'output_tokens'>) => void

/** What is done here for a user, by the same limits and in the same record as what providers do. */
export interface LocalCalls {
  /**
   * Does `work` as one call of the user; where a vendor's model does it, the relay counts what that is asked.
   * @throws Problem of the Meter, and what `work` throws
   */
  metered<T>(call: LocalCall, work: (used: Used) => Promise<T>): Promise<T>
  /** Does `work`, which no model takes part in: it counts as a request. @throws as `metered` */
  counted<T>(principal: UserPrincipal, work: () => Promise<T>): Promise<T>
}

const CHARS_PER_TOKEN = 4
/** Of a minute's tokens. A long document has more than some may use in a minute: the rest is counted when it has been read. */
const MOST_RESERVED = 32_768

export function createLocalCalls(meter: Pick<Meter, 'begin' | 'enter'>): LocalCalls {
  return {
    async metered({ answerer, texts, signal, res, ...call }, work) {
      if (!answerer.isOwn) return work(() => undefined)
      const who = { provider: answerer.provider.name, model: answerer.model }
      const estimatedTokens = Math.ceil(texts.reduce((sum, { length }) => sum + length, 0) / CHARS_PER_TOKEN)
      const run = await meter.begin({
        ...{ ...call, ...who, estimatedTokens },
        stream: call.stream === true,
        estimatedInputTokens: estimatedTokens,
        reservedTokens: Math.min(estimatedTokens, MOST_RESERVED),
      })
      let usage: CallOutcome['usage']
      let isRefused = false
      try {
        for (const [name, value] of Object.entries(run.headers)) res.setHeader(name, value)
        return await work(({ input_tokens: inputTokens, output_tokens: outputTokens }) => {
          usage = { inputTokens, outputTokens, cachedInputTokens: 0 }
        })
      } catch (error) {
        isRefused = !signal.aborted
        throw error
      } finally {
        const unanswered = signal.aborted ? 'aborted' : 'failed'
        run.end({
          ...{ usage, ...who },
          keyId: undefined,
          result: usage ? 'answered' : unanswered,
          unused: isRefused,
        })
      }
    },

    async counted(principal, work) {
      const place = await meter.enter(principal)
      try {
        return await work()
      } finally {
        place.leave()
      }
    },
  }
}
