import { randomUUID } from 'node:crypto'
import { Problem, requestContext } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import { ATTRIBUTE, countEvent, METRIC } from '@waybill/telemetry'
import type { Limits, Reservation } from '../limits/limits.ts'
import type { Operation, TokenUsage } from '../protocols/protocol.ts'
import type { BudgetHold, Budgets } from './budgets.ts'
import { dayOf } from './calendar.ts'
import type { Ledger } from './ledger.ts'
import type { Cost, Prices } from './prices.ts'
import { tokensOf, wholeTokens } from './used-tokens.ts'
import { storable } from './write-usage.ts'

/** A call that is about to be made. */
export interface MeteredCall {
  principal: UserPrincipal
  provider: string
  model: string
  operation: Operation
  stream: boolean
  /** The most that it is thought to use, input and output: reserved at once, settled with what was used. */
  estimatedTokens: number
  /** In place of all of them, what is taken from the tokens of the minute. */
  reservedTokens?: number | undefined
  /** It may cost what nobody here can count: refused to who has a budget, unless the operator allows it. */
  unmetered?: boolean | undefined
  /** How much of that is input: priced as such, and written down when the provider does not say. */
  estimatedInputTokens?: number | undefined
  /** `enter` has taken its request and its place already. */
  hasEntered?: boolean | undefined
}

/** How a call ended. */
export interface CallOutcome {
  /** As the provider that answered counted them; undefined when it did not say. */
  usage: TokenUsage | undefined
  /** Who answered in the end, after fallbacks; undefined when nobody did. */
  provider: string | undefined
  model: string | undefined
  /** The model that the answer names, which the provider may have chosen in place of the one it was asked: priced before that. */
  responseModel?: string | undefined
  keyId: string | undefined
  /** `cached`: from our own cache. `failed`: an error of the provider, or none reached. `aborted`: the client went away. */
  result: 'answered' | 'cached' | 'failed' | 'aborted'
  /** The tokens of the answer's text so far, estimated, where the provider did not get to say, or not to the end: a stream given up midway. */
  estimatedOutputTokens?: number | undefined
  /** Nothing was used: the call was never sent, or refused with an error. What was sent may be paid for, whatever came of it. */
  unused?: boolean | undefined
}

/** A place among a user's concurrent requests. */
export interface Place {
  /** Once the call is over, however it ended. Never throws. */
  leave(): void
}

/** A call that was let in. */
export interface MeteredRun {
  /**
   * To go into the answer: what is left, as `x-waybill-ratelimit-limit-requests`, `-remaining-requests`, `-reset-requests` and the
   * same of tokens. The names without `waybill` are the provider's own there; those of a 429 of ours are without it.
   */
  headers: Readonly<Record<string, string>>
  /** Once, however the call ends: gives back what was reserved and not used, frees its place, writes the usage down. Never throws. */
  end(outcome: CallOutcome): void
}

/** Limits, budgets and the record of usage, as the rest of the service sees them. */
export interface Meter {
  /**
   * Takes a call's request and its place, before it is read: where reading it costs more than refusing it.
   * @throws Problem rate_limited as `begin`
   */
  enter(principal: UserPrincipal): Promise<Place>
  /**
   * Reserves the call's tokens, and its place and its request unless they are taken: all of them or none.
   * @throws Problem rate_limited (429) with Retry-After and `reason`: `requests_per_minute`, `tokens_per_minute`,
   * `concurrent_requests`, `budget_exceeded`; forbidden (403) with `model_not_priced` or `call_not_metered`; unavailable (503) while
   * usage cannot be written down
   */
  begin(call: MeteredCall): Promise<MeteredRun>
}

export interface MeterParts {
  limits: Limits
  budgets: Budgets
  ledger: Ledger
  prices: Prices
  /** So many records may wait for the database. */
  bufferMax: number
}

/** Its models run here, for nothing. */
const FREE_PROVIDER = 'local'

export function createMeter({ limits, budgets, ledger, prices, bufferMax }: MeterParts): Meter {
  function begin(call: MeteredCall): MeteredRun | Promise<MeteredRun> {
    if (ledger.waiting() >= bufferMax) {
      throw new Problem('unavailable', 'Usage cannot be written down at the moment.', {
        headers: { 'Retry-After': '1' },
      })
    }
    const ready = budgets.ready(call.principal.userId)
    return ready ? ready.then(() => reserve(call)) : reserve(call)
  }

  /** The budget first: what it had reserved goes back without a trace, a request that was counted does not. */
  function reserve(call: MeteredCall): MeteredRun | Promise<MeteredRun> {
    const { provider, model, principal } = call
    const tokens = wholeTokens(call.estimatedTokens)
    const input = Math.min(wholeTokens(call.estimatedInputTokens ?? 0), tokens)
    const reserved = wholeTokens(call.reservedTokens ?? tokens)
    const hold = budgets.reserve(principal.userId, {
      tokens,
      cost: () => prices.costOf(provider, model, { input, cached: 0, output: tokens - input }),
      model: `${provider}/${model}`,
      free: provider === FREE_PROVIDER,
      unmetered: call.unmetered === true,
    })
    const refused = (error: unknown): never => {
      hold.release()
      throw error
    }
    try {
      const calls = call.hasEntered === true ? 0 : 1
      const reservation = limits.reserve(principal, { calls, tokens: reserved })
      return reservation instanceof Promise
        ? reservation.then((made) => runOf(call, hold, made), refused)
        : runOf(call, hold, reservation)
    } catch (error) {
      return refused(error)
    }
  }

  function runOf(call: MeteredCall, hold: BudgetHold, reservation: Reservation): MeteredRun {
    const requestId = requestContext()?.requestId ?? null
    let ended = false
    return {
      headers: reservation.headers,
      end(outcome) {
        if (ended) return
        ended = true
        const provider = outcome.provider ?? call.provider
        const model = outcome.model ?? call.model
        const { input, output, cached, estimated } = tokensOf(call, outcome)
        const tokens = { input, cached, output }
        // Neither the answer nor the provider asked in the end need call the model as the price table does.
        const cost: Cost | undefined =
          prices.costOfAnswer(provider, { asked: model, named: outcome.responseModel }, tokens) ??
          prices.costOf(provider, call.model, tokens)
        reservation.end(input + output)
        hold.end(input + output, cost)
        ledger.append(
          {
            id: randomUUID(),
            at: hold.at,
            day: dayOf(hold.at),
            user_id: call.principal.userId,
            api_key_id: call.principal.apiKeyId ?? null,
            provider: storable(provider),
            model: storable(model),
            key_id: outcome.keyId ?? null,
            operation: call.operation,
            stream: call.stream,
            result: outcome.result,
            input_tokens: input,
            output_tokens: output,
            cached_tokens: cached,
            estimated,
            cost_micros: cost ? String(cost.micros) : null,
            currency: cost?.currency ?? null,
            request_id: requestId,
            counted_by: hold.countedBy,
          },
          hold.written,
        )
      },
    }
  }

  return {
    async enter(principal) {
      try {
        const { end } = await limits.reserve(principal, { calls: 1, tokens: 0 })
        return {
          leave: () => {
            end(0)
          },
        }
      } catch (error) {
        return counted(error)
      }
    },
    // Nothing here waits while counts are in memory, and a promise costs less than an async function.
    begin(call) {
      try {
        const run = begin(call)
        return run instanceof Promise ? run.catch(counted) : Promise.resolve(run)
      } catch (error) {
        return Promise.reject(error instanceof Error ? denied(error) : new Error('thrown what is no error'))
      }
    },
  }
}

function counted(error: unknown): never {
  throw error instanceof Error ? denied(error) : error
}

/** Counts a refusal by the name of its limit; gives the error back. */
function denied(error: Error): Error {
  if (error instanceof Problem && error.code === 'rate_limited') {
    countEvent(METRIC.rateLimited, { [ATTRIBUTE.limit]: String(error.extensions.reason) })
  }
  return error
}
