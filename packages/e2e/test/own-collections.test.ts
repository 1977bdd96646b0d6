import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postgrestBinary, startPlatform } from '@waybill/dev-env'
import type { Platform } from '@waybill/dev-env'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ask, newUser } from '../src/user.ts'

const BACKENDS = ['postgres', 'lancedb', 'filemaker', ...(postgrestBinary() ? ['supabase'] : [])]

let folder: string
let platform: Platform | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-own-'))
})
afterEach(async () => {
  await platform?.close()
  rmSync(folder, { recursive: true, force: true })
})

it('the user’s own COLLECTIONS_FILE is there in every store, and what is kept stays from one run with --data to the next', async () => {
  const file = join(folder, 'collections.json')
  const diary = {
    ...{ name: 'diary', backends: BACKENDS, supabase: { table: 'pages' } },
    filemaker: { layout: 'Pages', fields: { title: 'Title' } },
  }
  writeFileSync(file, JSON.stringify({ collections: [diary] }))
  const start = () =>
    startPlatform({
      dataDir: join(folder, 'data'),
      env: { ...process.env, LOG_LEVEL: 'warn', COLLECTIONS_FILE: file },
    })
  const recordsIn = (backend: string) => `/data/v1/${backend}/collections/diary/records`

  platform = await start()
  const user = await newUser(platform.services.gateway)
  for (const backend of BACKENDS) {
    const data = { title: backend, ...(backend === 'lancedb' && { vector: [1, 0.5] }) }
    const made = await user.ask(recordsIn(backend), { json: { id: 'a', data } })
    expect([backend, made.status]).toEqual([backend, 201])
  }
  // What the platform declares itself is not there then.
  expect((await user.ask('/data/v1/filemaker/collections/notes/records')).status).toBe(404)
  await platform.close()

  platform = await start()
  const { gateway } = platform.services
  for (const backend of BACKENDS) {
    const headers = { Authorization: `Bearer ${user.token}` }
    const { status, body } = await ask(`${gateway}${recordsIn(backend)}/a`, { headers })
    expect([backend, status, (body.data as { title: string }).title]).toEqual([backend, 200, backend])
  }
}, 240_000)
