import { EventEmitter, once } from 'node:events'
import { afterEach, expect, it } from 'vitest'
import { startServiceProcess } from '../src/platform/service-process.ts'
import { supervise, type Supervised } from '../src/platform/supervisor.ts'

const STEADY = `console.log('up ' + process.pid); setInterval(() => undefined, 1000)`
const STUBBORN = `process.on('SIGTERM', () => console.log('no')); ${STEADY}`

const open: Supervised[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((supervised) => supervised.close()))
})

function run(script: string, options: { backOffMs?: number; graceMs?: number } = {}) {
  const lines = new EventEmitter()
  const log = (line: string) => void lines.emit(line.split(' ')[0] ?? '', line)
  const start = () =>
    startServiceProcess({
      args: ['-e', script],
      cwd: import.meta.dirname,
      env: { PATH: process.env.PATH ?? '' },
      log,
    })
  const supervised = supervise({ start, log, ...options })
  open.push(supervised)
  return { supervised, next: async (word: string) => ((await once(lines, word)) as [string])[0] }
}

it('a killed process is started again, after the back-off, and says so', async () => {
  const { supervised, next } = run(STEADY, { backOffMs: 10 })
  const first = await next('up')
  supervised.keepRunning()
  supervised.kill('SIGKILL')
  expect(await next('ended')).toBe('ended by SIGKILL; starting it again in 10 ms')
  expect(await next('up')).not.toBe(first)
})

it('a process that ends at its start fails with its last lines of stderr', async () => {
  const { supervised } = run(`console.log('noise'); console.error('PORT is taken'); process.exitCode = 3`)
  expect(await supervised.failed).toEqual({ code: 3, signal: null, lines: ['PORT is taken'] })
})

it('a process that does not heed SIGTERM is killed in the end', async () => {
  const { supervised, next } = run(STUBBORN, { graceMs: 50 })
  const pid = Number((await next('up')).split(' ')[1])
  supervised.keepRunning()
  await supervised.close()
  expect(() => process.kill(pid, 0)).toThrow(/ESRCH/)
})

it('closing during the back-off leaves nothing to come', async () => {
  const { supervised, next } = run(STEADY, { backOffMs: 60_000 })
  await next('up')
  supervised.keepRunning()
  supervised.kill('SIGKILL')
  await next('ended')
  await supervised.close()
  expect(supervised.pid()).toBeUndefined()
})
