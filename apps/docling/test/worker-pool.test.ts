import { existsSync, readFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { createWorkerPool } from '../src/worker-pool.ts'
import type { PoolLimits, WorkerPool } from '../src/worker-pool.ts'
import { makeDocx, makeManual } from './documents.ts'

const NEVER = new AbortController().signal
/** Parsing time grows with the square of the nesting: minutes, on any machine. */
const ENDLESS = Buffer.from(`${'- '.repeat(40_000)}x`)
/** Five million elements: gigabytes of tree. */
const VORACIOUS = Buffer.from('<i>a'.repeat(5_000_000))

let pool: WorkerPool
const open = (limits: Partial<PoolLimits> = {}) => {
  pool = createWorkerPool({
    workers: 1,
    queue: 2,
    placesPerUser: 9,
    jobsPerWorker: 5,
    memoryMb: 512,
    timeoutMs: 60_000,
    ...limits,
  })
  return pool
}
const job = (name: string, bytes: Uint8Array) => ({ name, bytes, maxChars: 1_000_000 })
const small = job('a.md', Buffer.from('# small'))
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

afterEach(() => pool.close())

describe('the worker pool', () => {
  test('converts every format in a process of its own', async () => {
    open()
    const cases = [
      job('a.pdf', await makeManual()),
      job('a.docx', await makeDocx()),
      job('a.html', Buffer.from('<p>x')),
      job('a.md', Buffer.from('x')),
      job('a.csv', Buffer.from('x,y\n')),
    ]
    for (const one of cases) expect(await pool.convert(one, NEVER)).toMatchObject({ warnings: [] })
    expect(pool.pids).toEqual([])
  })

  test.skipIf(!existsSync('/proc/self/environ'))(
    'a worker knows none of the secrets of the service, and may neither write files nor start programs',
    async () => {
      process.env.SERVICE_SECRET = 'only-for-the-service'
      open()
      await pool.convert(small, NEVER)
      const proc = (file: string) => readFileSync(`/proc/${pool.pids[0]!}/${file}`, 'utf8')
      expect(proc('environ')).not.toContain('only-for-the-service')
      const flags = proc('cmdline').split('\0')
      expect(flags).toContain('--permission')
      expect(flags.filter((flag) => /^--allow-(fs-write|child-process|worker|addons)/.test(flag))).toEqual([])
      delete process.env.SERVICE_SECRET
    },
  )

  test('a worker is reused, and replaced after its share of documents', async () => {
    open({ jobsPerWorker: 2 })
    await pool.convert(small, NEVER)
    const [first] = pool.pids
    await pool.convert(small, NEVER)
    expect(isAlive(first!)).toBe(false)
    await pool.convert(small, NEVER)
    expect(pool.pids).not.toContain(first)
  })

  test('what is wrong with a document comes back as such, and the worker lives on', async () => {
    open()
    await expect(pool.convert(job('a.pdf', Buffer.from('%PDF-1.4')), NEVER)).rejects.toMatchObject({
      failure: 'broken',
    })
    expect(pool.pids).toHaveLength(1)
  })

  test('a conversion that takes too long is ended with its process, and the next one succeeds', async () => {
    open({ timeoutMs: 2000 })
    await expect(pool.convert(job('a.md', ENDLESS), NEVER)).rejects.toMatchObject({
      failure: 'timeout',
      message: expect.stringContaining('2000 ms'),
    })
    expect(pool.pids).toEqual([])
    expect(await pool.convert(small, NEVER)).toMatchObject({ markdown: '# small' })
  })

  test('a conversion that takes too much memory is ended with its process, and the next one succeeds', async () => {
    open({ memoryMb: 160 })
    await expect(pool.convert(job('a.html', VORACIOUS), NEVER)).rejects.toMatchObject({
      failure: 'out_of_memory',
      message: expect.stringContaining('160 MiB'),
    })
    expect(pool.pids).toEqual([])
    expect(await pool.convert(small, NEVER)).toMatchObject({ markdown: '# small' })
  })

  test.skipIf(!existsSync('/proc/self/status'))('memory outside the heap counts too', async () => {
    open({ memoryMb: 128 })
    const input = job('a.csv', Buffer.alloc(60_000_000, 'x'))
    await expect(pool.convert(input, NEVER)).rejects.toMatchObject({ failure: 'out_of_memory' })
  })

  test('whoever goes away takes the conversion along, running or waiting', async () => {
    open()
    const client = new AbortController()
    const running = pool.convert(job('a.md', ENDLESS), client.signal)
    const waiting = pool.convert(small, client.signal)
    const other = pool.convert(small, NEVER)
    const outcomes = Promise.allSettled([running, waiting])
    client.abort(new Error('gone'))
    const gone = { status: 'rejected', reason: new Error('gone') }
    expect(await outcomes).toEqual([gone, gone])
    expect(await other).toMatchObject({ markdown: '# small' })
    expect(pool.pids).toHaveLength(1)
  })

  test('there are as many places as workers and queue, and a place left is free again', () => {
    open({ workers: 1, queue: 1 })
    const full = expect.objectContaining({ code: 'unavailable', headers: { 'Retry-After': '2' } })
    const places = [pool.admit('ada'), pool.admit('ada')]
    expect(() => pool.admit('bob')).toThrow(full)
    places[0]!.leave()
    places[0]!.leave()
    pool.admit('bob')
    expect(() => pool.admit('bob')).toThrow(full)
  })

  test('one user has no more than their share of the places', () => {
    open({ workers: 1, queue: 3, placesPerUser: 2 })
    const spent = expect.objectContaining({ code: 'rate_limited', headers: { 'Retry-After': '2' } })
    const places = [pool.admit('ada'), pool.admit('ada')]
    expect(() => pool.admit('ada')).toThrow(spent)
    pool.admit('bob')
    places[1]!.leave()
    pool.admit('ada')
    expect(() => pool.admit('ada')).toThrow(spent)
  })

  test('a process that cannot be started is 503 for its document, and nothing is lost', async () => {
    open()
    const { execPath } = process
    process.execPath = '/nonexistent/node'
    try {
      await expect(pool.convert(small, NEVER)).rejects.toMatchObject({
        code: 'unavailable',
        headers: { 'Retry-After': '2' },
        cause: { code: 'ENOENT' },
      })
    } finally {
      process.execPath = execPath
    }
    expect(pool.pids).toEqual([])
    expect(await pool.convert(small, NEVER)).toMatchObject({ markdown: '# small' })
  })

  test('nothing is left when it is closed', async () => {
    open({ workers: 2 })
    await pool.convert(small, NEVER)
    const running = pool.convert(job('a.md', ENDLESS), NEVER)
    const { pids } = pool
    const outcome = expect(running).rejects.toMatchObject({ code: 'unavailable' })
    await pool.close()
    await outcome
    expect(pids.filter(isAlive)).toEqual([])
    expect(() => pool.admit('ada')).toThrow(expect.objectContaining({ code: 'unavailable' }))
    await expect(pool.convert(small, NEVER)).rejects.toMatchObject({ code: 'unavailable' })
  })
})
