import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { parseArgs } from 'node:util'
import { startLlmUpstream, startTestPostgres } from '@waybill/dev-env'
import { slopeOf } from './slope.ts'
import type { Target } from './load.ts'

// npm run soak: llm-proxy for ten minutes (--minutes 10) under callers of whom three in ten go away: before the head, before the
// first chunk, midway; streaming or not; in the vendors' own protocols, in one translated to the other, and on /llm. It fails when memory grows, or when a socket or a request at the provider is left.

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, callers: { type: 'string', default: '40' } },
})
const minutes = Number(values.minutes)
const callers = Number(values.callers)
const ABORTED = 0.3
/** The growth of the resident set, after the first third, that still counts as flat: of what it was then, over the whole run. */
const FLAT = 0.1
const SAMPLE_MS = 5_000

const postgres = await startTestPostgres('llm-proxy')
const upstream = await startLlmUpstream({ keep: 100 })
const child = fork(new URL('servers/llm-proxy.ts', import.meta.url), ['llm-proxy'], {
  env: {
    ...process.env,
    OTEL_SERVICE_NAME: 'llm-proxy',
    BENCH_UPSTREAM: upstream.url,
    BENCH_BODY: '{}',
    BENCH_DATABASE_URL: postgres.databaseUrl,
    BENCH_MIGRATION_URL: postgres.migrationUrl,
  },
  stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
})
const [target] = (await once(child, 'message')) as [Target]
const pid = child.pid ?? 0

interface Way {
  /** OpenAI's chat completions unless said. */
  path?: string
  model: string
  stream: boolean
  /** What a client that goes away waits for before it does. */
  aborts: 'head' | 'chunk' | 'at once'
}

/** Each by itself, and all of them again and again. */
const WAYS: readonly Way[] = [
  { model: 'chunks-30+every-5', stream: true, aborts: 'chunk' },
  { model: 'chunks-30+every-5', stream: true, aborts: 'head' },
  { model: 'slow-head-100', stream: true, aborts: 'at once' },
  { model: 'slow-head-100', stream: false, aborts: 'at once' },
  { model: 'chunks-200+wide-512', stream: true, aborts: 'chunk' },
  { model: 'chunks-20', stream: false, aborts: 'head' },
  { model: 'err-429', stream: false, aborts: 'head' },
  { model: 'reset-5', stream: true, aborts: 'chunk' },
  { path: '/anthropic/v1/messages', model: 'chunks-30+every-5', stream: true, aborts: 'chunk' },
  { path: '/v1/chat/completions', model: 'anthropic/chunks-30+every-5', stream: true, aborts: 'chunk' },
  { path: '/llm', model: 'openai/chunks-30+every-5', stream: true, aborts: 'chunk' },
  { path: '/llm', model: 'anthropic/slow-head-100', stream: false, aborts: 'at once' },
]

const counts = { whole: 0, givenUp: 0, broken: 0 }
const endAt = Date.now() + minutes * 60_000
const samples: { at: number; rss: number }[] = []
const sampler = setInterval(() => {
  samples.push({ at: Date.now(), rss: rssOf(pid) })
}, SAMPLE_MS)

try {
  await Promise.all(Array.from({ length: callers }, (_, index) => callUntil(endAt, index)))
  clearInterval(sampler)
  await upstream.until(() => upstream.openRequests === 0)
  report()
} finally {
  clearInterval(sampler)
  child.kill('SIGTERM')
  await once(child, 'exit')
  await upstream.close()
  await postgres.close()
}

async function callUntil(end: number, caller: number): Promise<void> {
  // The same callers go away in each run.
  for (let turn = caller; Date.now() < end; turn += 1) {
    const way = WAYS[turn % WAYS.length]
    if (way) await call(way, (turn * 7) % 10 < ABORTED * 10)
  }
}

async function call({ path = target.path, model, stream, aborts }: Way, goesAway: boolean): Promise<void> {
  const messages = [{ role: 'user', content: 'a b c d e f g h' }]
  const body = JSON.stringify({ model, stream, messages, max_tokens: 1_000 })
  const { promise, resolve } = Promise.withResolvers<'whole' | 'givenUp' | 'broken'>()
  const asked = request(
    {
      ...{ host: '127.0.0.1', port: target.port, path, method: 'POST', agent: false },
      headers: {
        ...target.headers,
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(body),
      },
    },
    (answer) => {
      if (goesAway && aborts === 'head') leave()
      answer.on('data', () => {
        if (goesAway && aborts === 'chunk') leave()
      })
      answer.once('end', () => resolve('whole')).once('error', () => resolve('broken'))
    },
  )
  const leave = (): void => {
    asked.destroy()
    resolve('givenUp')
  }
  asked.once('error', () => resolve('broken'))
  asked.end(body, () => {
    if (goesAway && aborts === 'at once') leave()
  })
  counts[await promise] += 1
}

function report(): void {
  const sockets = socketsOf(pid)
  const settled = samples.slice(Math.ceil(samples.length / 3))
  const base = settled[0]?.rss ?? Number.NaN
  const growth = (slopeOf(settled.map(({ at, rss }) => [at, rss])) * minutes * 60_000) / base
  const all = counts.whole + counts.givenUp + counts.broken
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  say(`${String(all)} requests in ${values.minutes} minutes: ${JSON.stringify(counts)}`)
  say(
    `resident set ${megabytes(base)} MB after a third, ${megabytes(samples.at(-1)?.rss ?? 0)} MB at the end`,
  )
  say(
    `growth over the whole run by its slope: ${(growth * 100).toFixed(1)} % (at most ${String(FLAT * 100)} %)`,
  )
  say(
    `at the provider: ${String(upstream.openRequests)} requests still open, ${String(upstream.aborts)} given up`,
  )
  say(
    `sockets of llm-proxy at the end: ${String(sockets)}; connections at the provider: ${String(upstream.connections)}`,
  )
  // Of a run with aborts, each connection at the provider is one that waits in the pool.
  const isClean = growth <= FLAT && upstream.openRequests === 0 && upstream.connections <= callers
  if (!isClean) process.exitCode = 1
  say(isClean ? 'flat: nothing was left' : 'NOT clean')
}

/** In bytes (Linux). */
function rssOf(process: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${String(process)}/status`, 'utf8'))?.[1]) * 1024
}

function socketsOf(process: number): number {
  return readdirSync(`/proc/${String(process)}/fd`).length
}

function megabytes(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(0)
}
