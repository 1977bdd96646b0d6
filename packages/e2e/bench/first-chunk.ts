import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { median } from './compare.ts'
import { open, requestTo } from './load.ts'
import type { Target } from './load.ts'

const REQUESTS = 1_000
const WARM_UP = 500

export interface FirstChunkOptions {
  servers: URL
  variants: readonly string[]
  env: NodeJS.ProcessEnv
  /** The provider, to be asked directly in between. */
  upstream: string
  body: string
}

/** What each variant adds to the time from the request to the first chunk of a stream; one request at a time, in turn. */
export async function addedUntilFirstChunk(
  options: FirstChunkOptions,
): Promise<{ name: string; medianMs: number; p99Ms: number }[]> {
  const children = options.variants.map((name) =>
    fork(options.servers, [name], {
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    }),
  )
  try {
    const direct: Target = {
      port: Number(new URL(options.upstream).port),
      ...{ path: '/v1/chat/completions', headers: {}, body: options.body },
    }
    const targets = [direct]
    for (const child of children) targets.push(((await once(child, 'message')) as [Target])[0])
    const ways = await Promise.all(
      targets.map(async (target) => ({
        socket: await open(target),
        request: requestTo(target),
        times: [] as number[],
      })),
    )
    for (let turn = 0; turn < WARM_UP + REQUESTS; turn += 1) {
      for (const way of turn % 2 ? ways.toReversed() : ways) {
        const ms = await untilFirstChunk(way.socket, way.request)
        if (turn >= WARM_UP) way.times.push(ms)
      }
    }
    for (const { socket } of ways) socket.destroy()
    const [base, ...others] = ways.map(({ times }) => times)
    return others.map((times, at) => {
      const added = times.map((ms, turn) => ms - (base?.[turn] ?? Number.NaN)).toSorted((a, b) => a - b)
      return {
        name: options.variants[at] ?? '',
        medianMs: median(added),
        p99Ms: added[Math.floor(added.length * 0.99)] ?? Number.NaN,
      }
    })
  } finally {
    for (const child of children) child.kill()
  }
}

/** In milliseconds; the rest of the answer is awaited too. */
function untilFirstChunk(socket: Socket, request: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const began = performance.now()
    let first: number | undefined
    let received = ''
    const onData = (bytes: Buffer): void => {
      received += bytes.toString('latin1')
      if (first === undefined && received.includes('data: ')) first = performance.now() - began
      if (!received.endsWith('\r\n0\r\n\r\n')) return
      socket.off('data', onData).off('error', reject)
      if (first === undefined) reject(new Error(`no chunk in ${received.slice(0, 500)}`))
      else resolve(first)
    }
    socket.on('data', onData).once('error', reject)
    socket.write(request)
  })
}
