import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it } from 'vitest'

it('a guarded process ends when its owner is killed outright', async () => {
  const module = new URL('../src/guard.ts', import.meta.url).href
  const script = `import { spawn } from 'node:child_process'
    import { guardProcess } from '${module}'
    const child = spawn('sleep', ['600'], { stdio: 'inherit', detached: true })
    guardProcess(child.pid, 'TERM')
    console.log('guarding')`
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(createInterface({ input: owner.stdout }), 'line')
  owner.kill('SIGKILL')
  // The sleeper inherited the pipe: 'close' comes when it, too, has let go of it.
  await once(owner, 'close')
})

it('PostgreSQL ends, and its folder goes, when the process that started it is killed outright', async () => {
  const module = new URL('../src/index.ts', import.meta.url).href
  const temporary = mkdtempSync(join(tmpdir(), 'waybill-guard-'))
  chmodSync(temporary, 0o755)
  const script = `import { startPostgres } from '${module}'
    const postgres = await startPostgres({ services: [] })
    console.log(postgres.pid)`
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: temporary },
  })
  const [pid] = (await once(createInterface({ input: owner.stdout }), 'line')) as [string]
  owner.kill('SIGKILL')
  await once(owner, 'close')
  await expect.poll(() => isAlive(Number(pid)), { timeout: 10_000 }).toBe(false)
  const clusters = () =>
    readdirSync(temporary, { recursive: true }).filter((name) => name.includes('postgres-'))
  await expect.poll(clusters, { timeout: 10_000 }).toEqual([])
  rmSync(temporary, { recursive: true })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
