import { Agent } from 'node:http'
import { isDeepStrictEqual as isSame } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isStorableText as isStorable } from '../src/records/data.ts'
import { matches } from '../src/query/evaluate.ts'
import { recordsOf, sendTo } from './fixtures/hostile-caller.ts'
import type { Answer, Sender } from './fixtures/hostile-caller.ts'
import { HOSTILE_VALUES } from './fixtures/hostile-values.ts'
import { ALL_BACKENDS, dataFor, startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

// Whatever stands wherever a caller may write something: it is refused, or it is itself. It never finds more, and never breaks anything.

let setting: Setting
let alice: Sender
let bob: Sender
/** Fresh tokens. */
let enter: () => Promise<void>
const agent = new Agent({ keepAlive: true })
beforeAll(async () => {
  setting = await startSetting({ DATABASE_CONNECT_TIMEOUT_MS: '60000' }, { supabase: true })
  const { url } = await setting.service.listen({ port: 0 })
  const as = async (user: string) => sendTo(url, await setting.token(user), agent)
  enter = async () => {
    ;[alice, bob] = [await as('alice'), await as('bob')]
  }
})
afterAll(async () => {
  agent.destroy()
  await setting.close()
})

test('there are 200 and more', () => {
  expect(HOSTILE_VALUES.length).toBeGreaterThanOrEqual(200)
})

const notes = (backend: string) => `/v1/${backend}/collections/notes`

/** Tries every value, some at a time; the ones for which `attempt` says what is wrong. */
async function wrongOnes(
  attempt: (value: string, at: number) => Promise<string | undefined>,
  values = HOSTILE_VALUES,
): Promise<string[]> {
  const wrong: string[] = []
  const left = [...values.entries()]
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const what = await attempt(next[1], next[0])
      if (what !== undefined) wrong.push(`${JSON.stringify(next[1]).slice(0, 80)}: ${what}`)
    }
  }
  await Promise.all(Array.from({ length: 8 }, work))
  return wrong
}

/** How a filter with this value is answered: half a surrogate pair is against its form, NUL is what no record can have. */
function inFilter(value: string): number[] {
  if (!value.isWellFormed()) return [400]
  return [isStorable(value) ? 200 : 422]
}

/** What is wrong with an answer: a status that is not expected here, or a record of somebody else's. */
function wrongIn(answer: Answer, expected: readonly number[], owner = 'alice'): string | undefined {
  if (!expected.includes(answer.status)) return `${String(answer.status)} ${answer.text.slice(0, 300)}`
  const foreign = recordsOf(answer).filter((record) => record.owner !== owner)
  return foreign.length > 0 ? `sees ${JSON.stringify(foreign)}` : undefined
}

describe.each(ALL_BACKENDS)('%s: hostile values', { timeout: 300_000 }, (backend) => {
  beforeAll(async () => {
    await enter()
    for (const [id, send] of [
      ['of-alice', alice],
      ['of-bob', bob],
    ] as const) {
      const body = { id, data: dataFor(backend, { title: id, body: id }) }
      expect((await send('POST', `${notes(backend)}/records`, body)).status).toBe(201)
    }
  })

  test('as data and names of members come back identical, or are refused', async () => {
    const wrong = await wrongOnes(async (value, at) => {
      const id = `data-${String(at)}`
      // As JSON text: an object literal would not make a member called __proto__.
      const own = backend === 'lancedb' ? ',"vector":[1,0.5,0]' : ''
      const text = JSON.stringify(value)
      const data = `{"title":${text},"nested":{${text}:[${text}]}${own}}`
      const answer = await alice('POST', `${notes(backend)}/records`, `{"id":"${id}","data":${data}}`)
      if (answer.status !== 201) return wrongIn(answer, isStorable(value) ? [] : [422])
      const read = await alice('GET', `${notes(backend)}/records/${id}`)
      const [record] = recordsOf(read)
      return (
        wrongIn(read, [200]) ??
        (isSame(record?.data, JSON.parse(data)) ? undefined : `comes back as ${read.text}`)
      )
    })
    expect(wrong).toEqual([])
  })

  test('as values of a filter match what they match, and nothing of others', async () => {
    const all = await everything(alice, backend)
    const wrong = await wrongOnes(async (value, at) => {
      const compared = (op: 'eq' | 'prefix' | 'contains' | 'ne' | 'le') => ({
        field: 'data.title',
        op,
        value,
      })
      const near = { field: 'id', op: 'prefix', value: 'data-1' } as const
      const other = compared((['prefix', 'contains', 'ne', 'le'] as const)[at % 4]!)
      for (const comparison of [compared('eq'), other]) {
        const filter = { and: [comparison, near] }
        const answer = await alice('POST', `${notes(backend)}/query`, { filter, limit: 200 })
        const what = wrongIn(answer, inFilter(value))
        if (what !== undefined || answer.status !== 200) return what
        const wanted = all.filter((record) => matches(filter, record)).map(({ id }) => id)
        const found = recordsOf(answer).map(({ id }) => id)
        if (!isSame(found, wanted)) return `${comparison.op}: ${found.join()} for ${wanted.join()}`
      }
      const filter = { or: (['eq', 'prefix', 'contains'] as const).map(compared) }
      return wrongIn(await bob('POST', `${notes(backend)}/query`, { filter }), [200], 'bob')
    })
    expect(wrong).toEqual([])
  })

  test('as the filter of a bulk write touch what they match, and nothing of others', async () => {
    const wrong = await wrongOnes(async (value) => {
      const filter = {
        and: [
          { field: 'data.title', op: 'eq', value },
          { field: 'data.body', op: 'ne', value },
        ],
      }
      const answer = await bob('POST', `${notes(backend)}/bulk-delete`, { filter, max_affected: 1 })
      if (answer.status === 200 && answer.text !== '{"affected":0}') return answer.text
      return wrongIn(answer, inFilter(value))
    })
    expect(wrong).toEqual([])
    expect((await alice('GET', `${notes(backend)}/records/of-alice`)).status).toBe(200)
    expect((await bob('GET', `${notes(backend)}/records/of-bob`)).status).toBe(200)
  })

  test('as ids are refused, or are the id of one record', async () => {
    const wrong = await wrongOnes(
      async (id) => {
        const path = `${notes(backend)}/records/${encodeURIComponent(id.toWellFormed())}`
        for (const [method, body] of [['GET'], ['DELETE'], ['PATCH', { data: { title: 'x' } }]] as const) {
          const foreign = wrongIn(await bob(method, path, body), [400, 404, 405], 'bob')
          if (foreign !== undefined) return `${method}: ${foreign}`
        }
        const made = await alice('POST', `${notes(backend)}/records`, { id, data: dataFor(backend) })
        if (made.status !== 201) return wrongIn(made, [400])
        const read = await alice('GET', path)
        const gone = await alice('DELETE', path)
        return wrongIn(read, [200]) ?? (recordsOf(read)[0]?.id === id ? wrongIn(gone, [204]) : read.text)
      },
      HOSTILE_VALUES.filter((id) => id !== ''),
    )
    expect(wrong).toEqual([])
  })

  test('as the name of a collection are refused, or there is nothing in it', async () => {
    const wrong = await wrongOnes(async (name) => {
      const path = `/v1/${backend}/collections/${encodeURIComponent(name.toWellFormed())}/records`
      const answer = await alice('GET', path)
      return recordsOf(answer).length > 0 ? answer.text : wrongIn(answer, [200, 400, 404])
    })
    expect(wrong).toEqual([])
  })

  test('as a text to search for find what is the user’s own, or nothing', async () => {
    const wrong = await wrongOnes(async (text) => {
      const answer = await alice('POST', `${notes(backend)}/search`, { text, limit: 100 })
      return wrongIn(
        answer,
        backend === 'filemaker' ? [501, 400] : isStorable(text) ? [200, 400] : [400, 422],
      )
    })
    expect(wrong).toEqual([])
  })

  test('as a cursor, a field or an order are refused', async () => {
    const wrong = await wrongOnes(async (value) => {
      const path = `${notes(backend)}/query`
      const bodies = {
        cursor: { cursor: value },
        field: { filter: { field: value, op: 'ne', value: 'x' } },
        member: { filter: { field: `data.title${value}x`, op: 'is_null' }, limit: 1 },
        order: { order: [value] },
        select: { select: [value] },
      }
      for (const [name, body] of Object.entries(bodies)) {
        const isField = ['id', 'version', 'data'].includes(value) && name !== 'cursor'
        const isMember = name === 'member' && /^[\w.-]*$/.test(value)
        const answer = await alice('POST', path, body)
        const what = wrongIn(answer, isField || isMember ? [200, 400] : [400])
        if (what !== undefined) return `${name}: ${what}`
      }
      return undefined
    })
    expect(wrong).toEqual([])
  })

  test('in If-Match and Idempotency-Key are refused, or mean nothing else', async () => {
    const sendable = HOSTILE_VALUES.filter(
      (value) => /^[\t\x20-\x7e\x80-\xff]+$/.test(value) && value.trim() === value,
    )
    const wrong = await wrongOnes(async (value) => {
      const path = `${notes(backend)}/records/of-alice`
      const patch = { data: { title: 'of-alice' } }
      const matched = await alice('PATCH', path, patch, { 'If-Match': value })
      const what = wrongIn(matched, value === '*' ? [200] : [400, 412])
      if (what !== undefined) return `If-Match: ${what}`
      const keyed = await alice('PATCH', `${path}-2`, patch, { 'Idempotency-Key': value })
      return wrongIn(keyed, [400, 404])
    }, sendable)
    expect(wrong).toEqual([])
  })
})

test('as the name of a backend are refused', async () => {
  await enter()
  const wrong = await wrongOnes(async (name) => {
    const path = `/v1/${encodeURIComponent(name.toWellFormed())}/collections/notes/records`
    return wrongIn(await alice('GET', path), [400, 404])
  })
  expect(wrong).toEqual([])
})

async function everything(send: Sender, backend: string) {
  const records = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const answer: Answer = await send('POST', `${notes(backend)}/query`, {
      limit: 200,
      ...(cursor !== '' && { cursor }),
    })
    records.push(...recordsOf(answer))
    cursor = (JSON.parse(answer.text) as { next_cursor: string | null }).next_cursor
  }
  return records
}
