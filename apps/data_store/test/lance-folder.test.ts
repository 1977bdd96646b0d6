import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createLogger, FatalStartError } from '@waybill/service-kit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockFolder } from '../src/backends/lancedb/folder-lock.ts'
import { createLanceTables } from '../src/backends/lancedb/tables.ts'

const log = createLogger({ service: 'data_store', level: 'silent' })
const HOLD = fileURLToPath(new URL('fixtures/hold-folder.ts', import.meta.url))
const TAKEN = /^LANCEDB_PATH: another process has the folder/

let folder: string
let child: ChildProcess | undefined
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lance-'))
})
afterEach(async () => {
  child?.kill('SIGKILL')
  await rm(folder, { recursive: true })
})

const create = () => createLanceTables({ path: folder, maintenanceMs: 3_600_000, log })

test('a second process on a folder does not start, and does when the first was killed a moment ago', async () => {
  for (let round = 0; round < 3; round += 1) {
    const holder = spawn(process.execPath, [HOLD, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    child = holder
    const exit = once(holder, 'exit')
    await once(holder.stdout, 'data')
    await expect(create().start()).rejects.toThrow(FatalStartError)
    await expect(create().start()).rejects.toThrow(TAKEN)
    holder.kill('SIGKILL')
    await exit
    const next = create()
    await next.start()
    expect(await (await next.open('notes.2')).countRows()).toBe(0)
    await next.close()
  }
})

test('in one process, too, one has it at a time: the next starts once the first is closed', async () => {
  const first = create()
  await first.start()
  await first.start()
  await expect(create().start()).rejects.toThrow(TAKEN)
  expect(await first.find('notes.2')).toBeUndefined()
  await first.close()
  await first.close()
  const next = create()
  await next.start()
  await expect(create().start()).rejects.toThrow(TAKEN)
  await next.close()
})

test('a folder in which the lock cannot be made ends the start, saying so', async () => {
  await mkdir(join(folder, 'data_store.lock'))
  expect(() => lockFolder(folder)).toThrow(/^LANCEDB_PATH: the folder cannot be locked \(/)
  await expect(create().start()).rejects.toThrow(FatalStartError)
})

test('what a drop left that did not come to its end is deleted at the start, and was no table', async () => {
  const dropped = join(folder, 'notes.2.lance.dropped')
  await mkdir(join(dropped, '_versions'), { recursive: true })
  await writeFile(join(dropped, '_versions', '1.manifest'), '')
  const tables = create()
  await tables.start()
  expect(await readdir(folder)).toEqual(['data_store.lock'])
  expect(await tables.find('notes.2')).toBeUndefined()
  await tables.close()
})
