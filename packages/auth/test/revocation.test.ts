import type { authService } from '@waybill/contracts'
import { createLogger } from '@waybill/service-kit'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createRevocationList } from '../src/revocation/list.ts'
import type { RevocationListOptions } from '../src/revocation/list.ts'
import { createRevokedSet } from '../src/revocation/revoked.ts'
import type { AccessTokenClaims } from '../src/index.ts'
import { CLAIMS, forge, NOW, verifying } from './forge.ts'
import { StandInIssuer } from './stand-in.ts'

const LATER = NOW + 3_600
const KID = 'k1'
const ann = { ...CLAIMS, sid: 's1' } as AccessTokenClaims
/** What gateway has had exchanged for it. */
const forAnn = { ...ann, jti: 'j4', origin_jti: 'j1', act: { sub: 'gateway' } } as AccessTokenClaims
const bobsKey = { ...CLAIMS, sub: 'bob', jti: 'j2', key_id: 'key1' } as AccessTokenClaims
const docling = { ...CLAIMS, sub: 'docling', jti: 'j3', principal: 'service' } as AccessTokenClaims

describe('a revocation', () => {
  const covers = (revocation: authService.Revocation, claims: AccessTokenClaims): boolean => {
    const revoked = createRevokedSet({ capacity: 100, graceSeconds: 30 })
    revoked.add(revocation, NOW)
    return revoked.covers(claims, KID)
  }
  const inForce = { expires_at: LATER }

  test.each<[string, authService.Revocation, AccessTokenClaims, boolean]>([
    ['of a session covers its tokens', { kind: 'session', id: 's1', ...inForce }, ann, true],
    ['of a session covers no others', { kind: 'session', id: 's2', ...inForce }, ann, false],
    ['of a token covers that one', { kind: 'token', id: 'j1', ...inForce }, ann, true],
    ['of a token covers what was made from it', { kind: 'token', id: 'j1', ...inForce }, forAnn, true],
    ['of a token covers not what it was made from', { kind: 'token', id: 'j4', ...inForce }, ann, false],
    ['of a token covers no session of that id', { kind: 'token', id: 's1', ...inForce }, ann, false],
    ['of an API key covers what came of it', { kind: 'api_key', id: 'key1', ...inForce }, bobsKey, true],
    ['of an API key covers no other', { kind: 'api_key', id: 'key2', ...inForce }, bobsKey, false],
    [
      'of an API key that only changed covers nothing',
      { kind: 'api_key_changed', id: 'key1', ...inForce },
      bobsKey,
      false,
    ],
    ['of a signing key covers what it signed', { kind: 'signing_key', id: KID, ...inForce }, docling, true],
    ['of a signing key covers nothing else', { kind: 'signing_key', id: 'k2', ...inForce }, docling, false],
    [
      'of a user covers tokens from before',
      { kind: 'user', id: 'u1', not_before: NOW + 1, ...inForce },
      ann,
      true,
    ],
    ['of a user covers none from since', { kind: 'user', id: 'u1', not_before: NOW, ...inForce }, ann, false],
    [
      'of a user covers no service of that name',
      { kind: 'user', id: 'docling', not_before: NOW + 1, ...inForce },
      docling,
      false,
    ],
    ['that is over covers nothing', { kind: 'session', id: 's1', expires_at: NOW - 30 }, ann, false],
    ['that is over within the skew covers', { kind: 'session', id: 's1', expires_at: NOW - 29 }, ann, true],
  ])('%s', (_name, revocation, claims, expected) => {
    expect(covers(revocation, claims)).toBe(expected)
  })

  test('of a user that comes again never moves back', () => {
    const revoked = createRevokedSet({ capacity: 100, graceSeconds: 30 })
    revoked.add({ kind: 'user', id: 'u1', not_before: NOW + 5, expires_at: LATER }, NOW)
    revoked.add({ kind: 'user', id: 'u1', not_before: NOW, expires_at: LATER }, NOW)
    expect(revoked.covers(ann, KID)).toBe(true)
  })

  test('is forgotten when it is over, and the room for them is bounded: the next to be over goes first', () => {
    const revoked = createRevokedSet({ capacity: 10, graceSeconds: 30 })
    for (let at = 0; at < 10; at += 1)
      revoked.add({ kind: 'session', id: `s${String(at)}`, expires_at: LATER + at }, NOW)
    revoked.add({ kind: 'session', id: 'new', expires_at: LATER }, NOW)
    expect(revoked.size).toBe(10)
    expect(revoked.covers({ ...ann, sid: 's0' }, KID)).toBe(false)
    expect(revoked.covers({ ...ann, sid: 's1' }, KID)).toBe(true)
    expect(revoked.covers({ ...ann, sid: 'new' }, KID)).toBe(true)
    revoked.add({ kind: 'session', id: 'last', expires_at: LATER + 100 }, LATER + 60)
    expect(revoked.size).toBe(1)
  })

  test('that has to go before its time is told of, and none goes for one that is over anyway', () => {
    const lines: string[] = []
    const log = createLogger({ service: 'test', destination: { write: (line) => void lines.push(line) } })
    const revoked = createRevokedSet({ capacity: 2, graceSeconds: 0, log })
    revoked.add({ kind: 'session', id: 's1', expires_at: LATER }, NOW)
    revoked.add({ kind: 'token', id: 'short', expires_at: NOW + 1 }, NOW)
    revoked.add({ kind: 'token', id: 'other', expires_at: LATER + 1 }, NOW + 2)
    expect(revoked.covers(ann, KID)).toBe(true)
    expect(lines).toEqual([])
    revoked.add({ kind: 'token', id: 'one too many', expires_at: LATER + 1 }, NOW + 2)
    expect(revoked.covers(ann, KID)).toBe(false)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('REVOCATION_LIST_SIZE')
  })
})

describe('the list of revocations', () => {
  let stopping: AbortController
  beforeEach(() => {
    stopping = new AbortController()
  })
  afterEach(() => {
    stopping.abort()
  })
  const list = (options: Partial<RevocationListOptions> & Pick<RevocationListOptions, 'feed'>) =>
    createRevocationList({
      maxStaleMs: 0,
      capacity: 100,
      graceSeconds: 30,
      now: () => NOW * 1000,
      ...options,
    })

  test('follows the feed: a verified token is refused as soon as it is told of', async () => {
    const issuer = new StandInIssuer()
    const told = Promise.withResolvers<authService.Revocation>()
    const revocations = list({ feed: issuer.revocations, now: Date.now, onRevoked: told.resolve })
    const verify = await verifying({ revocations })
    const token = forge({ ...CLAIMS, sid: 's1' })
    const { tried, ended } = revocations.follow(stopping.signal)
    await tried
    expect(await verify(token)).toMatchObject({ sid: 's1' })
    issuer.revoke({ kind: 'session', id: 's1' })
    expect(await told.promise).toMatchObject({ kind: 'session', id: 's1' })
    const refused = { code: 'invalid_token', message: 'The credential has been revoked.' }
    await expect(verify(token)).rejects.toMatchObject(refused)
    await expect(verify(forge({ ...CLAIMS, sid: 's1', jti: 'fresh' }))).rejects.toMatchObject(refused)
    expect(await verify(forge({ ...CLAIMS, sid: 's2' }))).toMatchObject({ sid: 's2' })
    stopping.abort()
    await ended
  })

  test('of a signing key refuses what it signed, although the verifier still has the key', async () => {
    const issuer = new StandInIssuer()
    const told = Promise.withResolvers<authService.Revocation>()
    const revocations = list({ feed: issuer.revocations, now: Date.now, onRevoked: told.resolve })
    const following = revocations.follow(stopping.signal)
    await following.tried
    const verify = await verifying({ revocations })
    const token = forge(CLAIMS)
    await verify(token)
    issuer.revoke({ kind: 'signing_key', id: KID })
    await told.promise
    const refused = { code: 'invalid_token', message: 'The credential has been revoked.' }
    await expect(verify(token)).rejects.toMatchObject(refused)
    await expect(verify(forge({ ...CLAIMS, jti: 'fresh' }))).rejects.toMatchObject(refused)
    stopping.abort()
    await following.ended
  })

  test('begins with all that is in force, and goes on from the cursor', async () => {
    const asked: (string | undefined)[] = []
    const done = Promise.withResolvers<undefined>()
    const revocations = list({
      feed: (cursor) => {
        asked.push(cursor)
        if (asked.length === 3) done.resolve(undefined)
        return asked.length < 3
          ? Promise.resolve({
              cursor: String(asked.length),
              revocations: [{ kind: 'token', id: `t${String(asked.length)}`, expires_at: LATER }],
            })
          : new Promise(() => undefined)
      },
    })
    void revocations.follow(stopping.signal)
    await done.promise
    expect(asked).toEqual([undefined, '1', '2'])
  })

  test('asks a feed that is down again and again with pauses, and goes on from the same cursor', async () => {
    vi.useFakeTimers()
    const asked: [string | undefined, number][] = []
    const waits: boolean[] = []
    let isDown = false
    const revocations = list({
      feed: (cursor, _signal, wait) => {
        asked.push([cursor, Date.now()])
        waits.push(wait)
        if (isDown) return Promise.reject(new Error('connection refused'))
        if (cursor === '7') return new Promise(() => undefined)
        isDown = true
        return Promise.resolve({ cursor: '5', revocations: [{ kind: 'token', id: 'j1', expires_at: LATER }] })
      },
    })
    void revocations.follow(stopping.signal)
    await vi.advanceTimersByTimeAsync(60_000)
    const pauses = asked.slice(1).map(([, at], index) => at - (asked[index]?.[1] ?? 0))
    expect(asked.slice(1).every(([cursor]) => cursor === '5')).toBe(true)
    // One that is back answers at once: nobody waits for news meanwhile.
    expect(waits.slice(0, 4)).toEqual([true, true, false, false])
    expect(pauses.slice(0, 6)).toEqual([0, 100, 200, 400, 800, 1_000])
    expect(Math.max(...pauses)).toBe(1_000)
    expect(() => {
      revocations.check(ann, KID)
    }).toThrow('revoked')
    stopping.abort()
    await vi.advanceTimersByTimeAsync(10_000)
    const { length } = asked
    await vi.advanceTimersByTimeAsync(10_000)
    expect(asked).toHaveLength(length)
    vi.useRealTimers()
  })

  test('does not ask a feed that never waits without end', async () => {
    vi.useFakeTimers()
    let asked = 0
    const revocations = list({
      feed: () => {
        asked += 1
        return Promise.resolve({ cursor: '0', revocations: [] })
      },
    })
    void revocations.follow(stopping.signal)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(asked).toBe(11)
    vi.useRealTimers()
  })

  test('that has heard nothing for too long answers 503 where that is asked for, and only there', async () => {
    let now = NOW * 1000
    const issuer = new StandInIssuer()
    const heard = Promise.withResolvers<undefined>()
    const feed: typeof issuer.revocations = async (cursor, signal, wait) => {
      if (cursor !== undefined) heard.resolve(undefined)
      return issuer.revocations(cursor, signal, wait)
    }
    const strict = list({ feed, maxStaleMs: 60_000, now: () => now })
    const check = (): void => {
      strict.check(ann, KID)
    }
    const refused = expect.objectContaining({ code: 'unavailable', status: 503 })
    expect(check).toThrow(refused)
    void strict.follow(stopping.signal)
    await heard.promise
    now += 60_000
    check()
    now += 1
    expect(check).toThrow(refused)
    const lenient = list({ feed: issuer.revocations, now: () => now })
    await lenient.follow(stopping.signal).tried
    now += 3_600_000
    lenient.check(ann, KID)
  })
})
