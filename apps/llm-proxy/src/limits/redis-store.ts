import { createHash, randomUUID } from 'node:crypto'
import { connectRedis } from '@waybill/service-kit'
import type { Logger, Secret } from '@waybill/service-kit'
import { GIVE_BACK, RENEW, TAKE } from './redis-scripts.ts'
import { WINDOW_MS } from './store.ts'
import type { Counts, LimitStore, Subject, Taking, Wanted } from './store.ts'

export interface RedisStoreOptions {
  url: Secret
  /** Counts while Redis is away: each process then counts for itself. */
  meanwhile: LimitStore
  /** So long an instance that says nothing any more keeps its places, in milliseconds. */
  leaseMs: number
  log: Logger
  /** In place of Redis' own clock, in milliseconds since 1970. */
  now?: (() => number) | undefined
}

/** A call that runs: its places in Redis, and the name of its leases there. */
interface Lease {
  name: string
  places: string[]
}

const PREFIX = 'waybill:llm'

/** Counts in Redis for all instances together: one script, and so one round trip and one atomic step, per call. */
export function createRedisStore({ url, meanwhile, leaseMs, log, now }: RedisStoreOptions): LimitStore {
  const redis = connectRedis(url, log)
  // Before any call: one that had to bring its script along would be overtaken by the next.
  redis.client.on('ready', () => {
    for (const { text } of [takeAll, giveBack, renew]) redis.client.scriptLoad(text).catch(() => undefined)
  })
  const leases = new Map<string, Lease>()
  const instance = randomUUID()
  let count = 0
  let timer: NodeJS.Timeout | undefined
  const clock = () => (now ? String(now()) : '')

  async function run(script: Script, keys: string[], args: string[]): Promise<unknown> {
    const given = { keys, arguments: args }
    try {
      return await redis.client.evalSha(script.sha, given)
    } catch (error) {
      // Somebody has made Redis forget its scripts.
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return redis.client.eval(script.text, given)
    }
  }

  async function take(subjects: readonly Subject[], wanted: Wanted): Promise<Taking> {
    const { calls, tokens } = wanted
    const name = `${instance}:${(count += 1)}`
    const keys = keysOf(subjects)
    const allowed = subjects.flatMap((one) => [one.requests, one.tokens, one.concurrent].map(String))
    const given = [clock(), ...[WINDOW_MS, leaseMs, name, tokens, calls].map(String), ...allowed]
    let answer: number[]
    try {
      // The script's answer is an array of numbers.
      answer = (await run(takeAll, keys, given)) as number[]
    } catch {
      // That Redis is away has been logged.
      return meanwhile.take(subjects, wanted)
    }
    const [admitted, at = 0, ...rest] = answer
    const counts = subjects.map((_, index): Counts => {
      const [requests = 0, requestsUntil = 0, used = 0, tokensUntil = 0, concurrent = 0] = rest.slice(
        5 * index,
      )
      return { requests, requestsUntil, tokens: used, tokensUntil, concurrent }
    })
    if (admitted !== 1) return { admitted: false, now: at, counts, end: () => undefined }
    if (calls > 0) leases.set(name, { name, places: keys.filter((_, index) => index % 2 === 1) })
    let ended = false
    const end = (used: number) => {
      if (ended) return
      ended = true
      leases.delete(name)
      const windows = counts.map(({ tokensUntil }) => String(tokensUntil))
      // Should Redis be away, its lease and its window end by themselves.
      run(giveBack, keys, [name, String(used - tokens), ...windows]).catch(() => undefined)
    }
    return { admitted: true, now: at, counts, end }
  }

  function renewAll(): void {
    for (const { name, places } of leases.values()) {
      run(renew, places, [clock(), String(leaseMs), name]).catch(() => undefined)
    }
  }

  return {
    take,
    async start() {
      await redis.known
      timer ??= setInterval(renewAll, leaseMs / 3).unref()
    },
    async close() {
      clearInterval(timer)
      await redis.close()
    },
  }
}

interface Script {
  text: string
  sha: string
}

const scriptOf = (text: string): Script => ({ text, sha: createHash('sha1').update(text).digest('hex') })
const takeAll = scriptOf(TAKE)
const giveBack = scriptOf(GIVE_BACK)
const renew = scriptOf(RENEW)

/** Of each subject its windows and its places; under the hash tag of the user, who is the last of them. Nobody's name in clear. */
function keysOf(subjects: readonly Subject[]): string[] {
  const tag = digest(subjects.at(-1)?.id ?? '')
  return subjects.flatMap(({ kind, id }) => {
    const key = kind === 'user' ? `${PREFIX}:{${tag}}:user` : `${PREFIX}:{${tag}}:key:${digest(id)}`
    return [`${key}:windows`, `${key}:places`]
  })
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
