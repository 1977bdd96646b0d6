import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openLoad } from './load.ts'
import type { Load, Target } from './load.ts'

/** Unless said. */
const CONNECTIONS = 32
/** Unless said. */
const LAUNCHES = 5
const WARM_UP_SLICES = 4

/** A server in a process of its own, so that its CPU time is its own. */
interface Peer {
  name: string
  child: ChildProcess
  load: Load
  perSecond: number[]
  cpuMicros: number[]
}

export interface Comparison {
  name: string
  /** Per round. */
  perSecond: readonly number[]
  /** CPU of the server per request, in microseconds, per round. */
  cpuMicros: readonly number[]
}

export interface CompareOptions {
  /** A module that, given the name of a variant as its argument, sends a Target and answers 'cpu' with `{ cpu }`. */
  servers: URL
  variants: readonly string[]
  /** Per launch. */
  rounds: number
  requestsPerSlice: number
  /** Whether the client stays awake between answers: for requests of a few microseconds. */
  awake: boolean
  env?: NodeJS.ProcessEnv
  connections?: number
  launches?: number
  /** Arguments of node for each server. */
  execArgv?: readonly string[]
}

/**
 * The variants under the same load in one run: short slices in turn, forwards and backwards, so that whatever else the
 * machine does falls on all of them. All of it several times with new processes: the same program is a few percent faster or
 * slower from one launch to the next.
 */
export async function compare(options: CompareOptions): Promise<Comparison[]> {
  const launches: Comparison[][] = []
  for (let launch = 0; launch < (options.launches ?? LAUNCHES); launch += 1)
    launches.push(await compareOnce(options))
  return options.variants.map((name) => {
    const own = launches.flatMap((rows) => rows.filter((row) => row.name === name))
    return {
      name,
      perSecond: own.flatMap(({ perSecond }) => perSecond),
      cpuMicros: own.flatMap(({ cpuMicros }) => cpuMicros),
    }
  })
}

async function compareOnce(options: CompareOptions): Promise<Comparison[]> {
  const peers: Peer[] = []
  try {
    for (const name of options.variants) peers.push(await startPeer(name, options))
    for (const peer of peers) await slice(peer, options.requestsPerSlice * WARM_UP_SLICES)
    for (const peer of peers) peer.perSecond.length = peer.cpuMicros.length = 0
    for (let round = 0; round < options.rounds; round += 1) {
      for (const peer of round % 2 ? peers.toReversed() : peers) await slice(peer, options.requestsPerSlice)
    }
    return peers
  } finally {
    for (const { child, load } of peers) {
      load.close()
      child.kill()
    }
  }
}

/** A table with the medians of each variant, and how it compares with the one that `base` names. */
export function table(rows: readonly Comparison[], base: string): string {
  const width = Math.max(...rows.map(({ name }) => name.length))
  const lines = rows.map(({ name, perSecond, cpuMicros }) =>
    [
      name.padEnd(width),
      `${median(perSecond).toFixed(0).padStart(7)} req/s (${ratio(rows, name, base).toFixed(3)})`,
      `${median(cpuMicros).toFixed(1).padStart(7)} us CPU per request (${ratio(rows, name, base, 'cpuMicros').toFixed(2)})`,
    ].join('  '),
  )
  return `${lines.join('\n')}\n`
}

/**
 * `left` over `right`: the median of the ratios of each round. The speed of a shared machine changes by half within
 * seconds; the two slices of one round see the same of it, two medians over all rounds do not.
 */
export function ratio(
  rows: readonly Comparison[],
  left: string,
  right: string,
  of: 'perSecond' | 'cpuMicros' = 'perSecond',
): number {
  const [above, below] = [left, right].map((wanted) => rows.find(({ name }) => name === wanted)?.[of])
  if (!above || !below) throw new Error(`${left} or ${right} was not measured`)
  return median(above.map((value, round) => value / (below[round] ?? Number.NaN)))
}

export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

async function startPeer(
  name: string,
  { servers, env, execArgv = [], awake, connections = CONNECTIONS }: CompareOptions,
): Promise<Peer> {
  const child = fork(servers, [name], {
    env: { ...process.env, ...env },
    execArgv: [...execArgv],
    // What a server logs is written, and goes nowhere.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const [target] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error(`${name} did not start`))),
  ])) as [Target]
  return { name, child, load: await openLoad(target, connections, awake), perSecond: [], cpuMicros: [] }
}

async function slice(peer: Peer, requests: number): Promise<void> {
  const before = await cpuOf(peer)
  peer.perSecond.push(requests / (await peer.load.run(requests)))
  peer.cpuMicros.push(((await cpuOf(peer)) - before) / requests)
}

async function cpuOf({ child }: Peer): Promise<number> {
  const answer = once(child, 'message')
  child.send('cpu')
  const [{ cpu }] = (await answer) as [{ cpu: number }]
  return cpu
}
