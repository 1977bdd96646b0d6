import { setTimeout as delay } from 'node:timers/promises'
import { probe } from './probe.ts'
import type { ProbeCredentials } from './probe.ts'

const POLL_MS = 100
const ANSWER_MS = 2_000

/**
 * Resolves when `/readyz` under the URL answers 200. Throws when it has not after `timeoutMs`, with the last answer, or
 * when `signal` is aborted.
 */
export async function waitUntilReady(
  url: string,
  timeoutMs: number,
  signal: AbortSignal,
  credentials?: ProbeCredentials,
): Promise<void> {
  const givenUp = AbortSignal.timeout(timeoutMs)
  let last = 'no answer'
  while (!givenUp.aborted) {
    signal.throwIfAborted()
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)])
      const answer = await probe(`${url}/readyz`, limit, credentials)
      if (answer.status === 200) return
      last = `${answer.status} ${answer.body.slice(0, 500)}`
    } catch (error) {
      // Nobody listens yet, or not quickly enough; which of them only matters when time is up.
      if (error instanceof Error) last = causeOf(error)
    }
    await delay(POLL_MS)
  }
  throw new Error(`${url}/readyz was not ready after ${timeoutMs / 1000} s: ${last}`)
}

function causeOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message
}
