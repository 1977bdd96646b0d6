import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { fileURLToPath } from 'node:url'
import { VARIANTS } from './servers.ts'

// npm run bench: what the request pipeline costs over bare Express 5, in one run. Slices of the variants are interleaved
// and the medians compared, since the machine is shared; the ratios mean something, the absolute figures little.

const ROUNDS = 9
const REQUESTS_PER_SLICE = 1500
const CONNECTIONS = 16

interface Peer {
  name: string
  child: ChildProcess
  port: number
  token: string
  agent: Agent
  perSecond: number[]
  cpuMicros: number[]
}

async function startPeer(name: string): Promise<Peer> {
  const child = fork(fileURLToPath(new URL('servers.ts', import.meta.url)), [name])
  const [{ port, token }] = (await once(child, 'message')) as [{ port: number; token: string }]
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  return { name, child, port, token, agent, perSecond: [], cpuMicros: [] }
}

async function cpuOf(peer: Peer): Promise<number> {
  const answer = once(peer.child, 'message')
  peer.child.send('cpu')
  const [{ cpu }] = (await answer) as [{ cpu: number }]
  return cpu
}

function request({ port, token, agent }: Peer): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ port, agent, path: '/v1/things', headers: { Authorization: `Bearer ${token}` } }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`answered ${String(response.statusCode)}`))
      response.resume().once('end', resolve)
    }).once('error', reject)
  })
}

async function slice(peer: Peer, requests: number): Promise<void> {
  const cpuBefore = await cpuOf(peer)
  const began = performance.now()
  let left = requests
  const worker = async (): Promise<void> => {
    while (left-- > 0) await request(peer)
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, worker))
  const seconds = (performance.now() - began) / 1000
  peer.perSecond.push(requests / seconds)
  peer.cpuMicros.push(((await cpuOf(peer)) - cpuBefore) / requests)
}

const median = (numbers: number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0

const peers = await Promise.all(VARIANTS.map(startPeer))
try {
  for (const peer of peers) await slice(peer, REQUESTS_PER_SLICE * 2)
  for (const peer of peers) peer.perSecond.length = peer.cpuMicros.length = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const peer of round % 2 ? peers.toReversed() : peers) await slice(peer, REQUESTS_PER_SLICE)
  }
  const rows = peers.map((peer) => ({
    name: peer.name,
    perSecond: median(peer.perSecond),
    cpu: median(peer.cpuMicros),
  }))
  const [bare] = rows
  process.stdout.write('1 KB of JSON, 16 keep-alive connections, medians; ratios against bare Express 5\n')
  for (const { name, perSecond, cpu } of rows) {
    const throughput = (perSecond / (bare?.perSecond ?? 1)).toFixed(2)
    const cost = (cpu / (bare?.cpu ?? 1)).toFixed(2)
    process.stdout.write(
      `${name.padEnd(20)} ${perSecond.toFixed(0).padStart(7)} req/s (${throughput})  ${cpu.toFixed(0).padStart(5)} us CPU per request (${cost})\n`,
    )
  }
} finally {
  for (const { child, agent } of peers) {
    agent.destroy()
    child.kill()
  }
}
