import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { signAccessToken } from '@waybill/auth'
import type { SigningKey } from '@waybill/auth'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadSecrets, PortTakenError, startTestSupabase } from '../src/index.ts'
import type { TestSupabase } from '../src/index.ts'
import { NoPostgrestError, postgrestBinary } from '../src/postgrest/binary.ts'
import { followKeys } from '../src/postgrest/follow-keys.ts'
import { serviceRoleKey } from '../src/postgrest/keys.ts'
import { startPlatformSupabase } from '../src/postgrest/platform-supabase.ts'
import { startPostgrest } from '../src/postgrest/start.ts'
import type { Jwks } from '../src/postgrest/start.ts'

const collections = [{ table: 'notes', scope: 'user' as const }]

function newKey(kid: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }
  return { key: { kid, alg: 'ES256', privateKey }, jwk }
}

const hasPostgrest = postgrestBinary() !== undefined
let supabase: TestSupabase
beforeAll(async () => {
  if (hasPostgrest) supabase = await startTestSupabase({ collections })
})
afterAll(async () => {
  if (hasPostgrest) await supabase.close()
})

async function statusWith(key: SigningKey, audience = supabase.audience): Promise<number> {
  const claims = {
    ...{ iss: 'test', aud: audience, sub: 'alice', client_id: 'test', principal: 'user' as const },
    ...{ scope: '', role: 'authenticated' },
  }
  const { token } = await signAccessToken(key, { claims, lifetimeSeconds: 60 })
  const headers = { Authorization: `Bearer ${token}` }
  return (await fetch(`${supabase.url}/notes`, { headers })).status
}

describe.skipIf(!hasPostgrest)('PostgREST', () => {
  it('believes the tokens of its keys for its audience, as the role that they name', async () => {
    expect(await statusWith(supabase.signingKey)).toBe(200)
    expect(await statusWith(supabase.signingKey, 'data_store')).toBe(401)
    expect(await statusWith(newKey('other').key)).toBe(401)
    expect((await fetch(`${supabase.url}/notes`)).status).toBe(401)
  })

  it('believes other keys at once when they are replaced, and those before no longer', async () => {
    const rotated = newKey('rotated')
    supabase.setKeys({ keys: [rotated.jwk] })
    await expect.poll(() => statusWith(rotated.key)).toBe(200)
    expect(await statusWith(supabase.signingKey)).toBe(401)
  })

  it('says which port is taken', async () => {
    const taken = startPostgrest({
      ...{ databaseUrl: supabase.adminUrl, jwks: { keys: [newKey('x').jwk] }, audience: 'x' },
      port: supabase.postgrest().port,
    })
    await expect(taken).rejects.toThrow(PortTakenError)
  })

  it('is told apart where the platform has none', async () => {
    const { arch } = process
    Object.defineProperty(process, 'arch', { value: 'pdp11', configurable: true })
    try {
      expect(postgrestBinary()).toBeUndefined()
      await expect(startTestSupabase({ adminUrl: clusterUrl(), collections })).rejects.toThrow(
        NoPostgrestError,
      )
    } finally {
      Object.defineProperty(process, 'arch', { value: arch, configurable: true })
    }
  })

  it('ends, and its keys go, when the process that started it is killed outright', async () => {
    const temporary = mkdtempSync(join(tmpdir(), 'waybill-guard-'))
    const module = new URL('../src/index.ts', import.meta.url).href
    const script = `import { startTestSupabase } from '${module}'
      const supabase = await startTestSupabase({ adminUrl: ${JSON.stringify(clusterUrl())}, collections: [] })
      console.log(supabase.postgrest().pid)`
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TMPDIR: temporary },
    })
    const [pid] = (await once(createInterface({ input: owner.stdout }), 'line')) as [string]
    owner.kill('SIGKILL')
    await once(owner, 'close')
    await expect.poll(() => isAlive(Number(pid)), { timeout: 10_000 }).toBe(false)
    await expect.poll(() => readdirSync(temporary), { timeout: 10_000 }).toEqual([])
    rmSync(temporary, { recursive: true })
  })

  // The last one: it gives the database another password.
  it('of the platform has the tables of its collections, and is back on its port when it was killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'waybill-secrets-'))
    const secrets = loadSecrets(folder)
    const printed: string[] = []
    const own = await startPlatformSupabase({
      ...{ adminUrl: clusterUrl(), secrets, log: (line) => void printed.push(line) },
      collections: [
        { name: 'diary', backends: ['supabase'], supabase: { table: 'pages' } },
        { name: 'elsewhere', backends: ['postgres'] },
      ],
    })
    if (!own) throw new Error('there is a PostgREST, and none was started')
    try {
      const headers = { Authorization: `Bearer ${serviceRoleKey(secrets.supabaseSecret)}` }
      const statusOf = async (table: string) =>
        (await fetch(`${own.url}/${table}?select=id&limit=0`, { headers })).status
      expect([await statusOf('pages'), await statusOf('elsewhere')]).toEqual([200, 404])
      const { pid } = own
      process.kill(pid, 'SIGKILL')
      await expect.poll(() => isAlive(pid)).toBe(false)
      await expect.poll(() => statusOf('pages').catch(() => 0), { timeout: 15_000 }).toBe(200)
      expect(own.pid).not.toBe(pid)
      expect(printed.filter((line) => line.includes('starting it again'))).toHaveLength(1)
    } finally {
      await own.close()
      rmSync(folder, { recursive: true })
    }
    expect(own.pid).toBe(0)
  })
})

it('the keys of an issuer are told of when it has some, and when it has others, whatever it answers between', async () => {
  const answers = [
    [503, ''],
    [200, 'not JSON'],
    [200, '{"keys":[{"kid":"a"}]}'],
    [200, '{"keys":[{"kid":"a"}]}'],
    [500, ''],
    [200, '{"keys":[{"kid":"a"},{"kid":"b"}]}'],
  ] as const
  let asked = 0
  const issuer = createServer((_req, res) => {
    const [status, body] = answers[Math.min(asked, answers.length - 1)] ?? [500, '']
    asked += 1
    res.writeHead(status).end(body)
  })
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve))
  const told: Jwks[] = []
  const url = `http://127.0.0.1:${String((issuer.address() as AddressInfo).port)}`
  const follower = followKeys({ url, onKeys: (jwks) => void told.push(jwks), everyMs: 1 })
  await follower.known
  await expect.poll(() => asked).toBeGreaterThan(answers.length)
  await follower.close()
  issuer.close()
  expect(told).toEqual([{ keys: [{ kid: 'a' }] }, { keys: [{ kid: 'a' }, { kid: 'b' }] }])
})

function clusterUrl(): string {
  return Object.assign(new URL(supabase.adminUrl), { pathname: '/postgres' }).href
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
