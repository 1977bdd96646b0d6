import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { Secret } from '@waybill/service-kit'
import { describe, expect, it } from 'vitest'
import { withoutKey } from '../src/relay/masking.ts'

const KEY = 'sk-canary-0123456789'
const MASK = '*'.repeat(KEY.length)

const masked = async (pieces: readonly string[], key = KEY) =>
  (
    await buffer(withoutKey(Readable.from(pieces.map((piece) => Buffer.from(piece))), new Secret(key)))
  ).toString()

describe('an error that quotes the key', () => {
  const text = `{"error":"Incorrect API key: Bearer ${KEY}, ${KEY}${KEY}."}`

  it('comes without it, and as long as it was', async () => {
    expect(await masked([text])).toBe(text.replaceAll(KEY, MASK))
  })

  it('comes without it wherever its chunks begin', async () => {
    for (let at = 1; at < text.length; at += 1) {
      expect(await masked([text.slice(0, at), text.slice(at)])).toBe(text.replaceAll(KEY, MASK))
    }
    expect(await masked(text.match(/./g) ?? [])).toBe(text.replaceAll(KEY, MASK))
  })

  it('keeps what only begins like it', async () => {
    for (const other of ['', 'sk', KEY.slice(0, -1), `${KEY.slice(0, -1)}x`, `sk-${KEY.slice(3, -1)}`])
      expect(await masked([other])).toBe(other)
  })

  it('keeps a key that may be a word', async () => {
    expect(await masked(['EMPTY is no key'], 'EMPTY')).toBe('EMPTY is no key')
  })
})

it('an answer that breaks breaks', async () => {
  const body = new Readable({
    read() {
      this.destroy(new Error('cut'))
    },
  })
  await expect(buffer(withoutKey(body, new Secret(KEY)))).rejects.toThrow('cut')
})
