import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
let token: string
let workspace: string

beforeAll(async () => {
  setting = await startSetting()
  workspace = randomUUID()
  token = await setting.onBehalfOf('alice', workspace)
})
afterAll(() => setting.close())

const send = (method: string, path: string, body?: unknown) => setting.send(token, method, path, body)
const create = async (body: object = { name: 'Basket' }, by = token) =>
  setting.send(by, 'POST', '/api/baskets', body)

describe('baskets', () => {
  test('belong to the workspace of the token and to the subject that made them', async () => {
    const { body, status } = await create({
      name: '  Field notes ',
      metadata: { project_id: 'p1', deep: [{ a: 1 }] },
    })
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.any(String),
      workspace_id: workspace,
      name: 'Field notes',
      status: 'active',
      metadata: { project_id: 'p1', deep: [{ a: 1 }] },
      created_by: 'user:alice',
      created_at: expect.stringMatching(/Z$/),
    })
    expect((await send('GET', `/api/baskets/${body.id}`)).body).toEqual(body)
  })

  test('made by work-platform in its own name say so', async () => {
    const own = { audience: 'substrate-api', workspaceId: workspace }
    const { body } = await create({ name: 'x' }, await setting.issuer.serviceToken('work-platform', own))
    expect(body.created_by).toBe('service:work-platform')
  })

  test('asked for twice with the same id are made once', async () => {
    const wanted = { id: randomUUID(), name: 'Once', metadata: { b: 1, a: 2 } }
    const first = await create(wanted)
    const second = await create({ ...wanted, metadata: { a: 2, b: 1 } })
    expect([first.status, second.status]).toEqual([201, 200])
    expect(second.body).toEqual(first.body)
  })

  test('asked for at the same moment with the same id are made once', async () => {
    const wanted = { id: randomUUID(), name: 'At once' }
    const answers = await Promise.all(Array.from({ length: 6 }, () => create(wanted)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 201])
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1)
  })

  test.each([{ name: 'Another name' }, { metadata: { other: true } }])(
    'an id that stands for another basket is a conflict: %j',
    async (difference) => {
      const id = randomUUID()
      await create({ id, name: 'First' })
      const answer = await create({ id, name: 'First', ...difference })
      expect(answer.status).toBe(409)
      expect((await send('GET', `/api/baskets/${id}`)).body).toMatchObject({ name: 'First', metadata: {} })
    },
  )

  test("an id that somebody else's basket of the workspace has is a conflict", async () => {
    const id = randomUUID()
    await create({ id, name: 'Same' })
    const answer = await create({ id, name: 'Same' }, await setting.onBehalfOf('bob', workspace))
    expect(answer.status).toBe(409)
  })

  test('an id that another workspace has taken is free: ids tell nothing across workspaces', async () => {
    const id = randomUUID()
    await create({ id, name: 'Ours' })
    const theirs = await create({ id, name: 'Theirs' }, await setting.onBehalfOf('mallory', randomUUID()))
    expect(theirs.status).toBe(201)
    expect((await send('GET', `/api/baskets/${id}`)).body.name).toBe('Ours')
  })

  test('a batch of 100 ids is one query and one audit row, and leaves out what is not there', async () => {
    const ids = await Promise.all(Array.from({ length: 3 }, async () => (await create()).body.id as string))
    const foreign = await create({ name: 'x' }, await setting.onBehalfOf('mallory', randomUUID()))
    const asked = [...ids, foreign.body.id, ...Array.from({ length: 96 }, () => randomUUID())]
    const answer = await send('GET', `/api/baskets?ids=${asked.join(',')}&limit=1`).set(
      'X-Request-ID',
      'batch',
    )
    expect((answer.body.items as { id: string }[]).map(({ id }) => id).sort()).toEqual(ids.sort())
    const audited = await setting.admin(`select details from audit where request_id = 'batch'`)
    expect(audited).toEqual([{ details: { found: 3 } }])
  })

  test('are listed newest first, page by page, each of them once', async () => {
    const by = await setting.onBehalfOf('alice', randomUUID())
    for (const name of ['1', '2', '3', '4', '5']) await create({ name }, by)
    const names: string[] = []
    let path = '/api/baskets?limit=2'
    for (;;) {
      const { body } = await setting.send(by, 'GET', path)
      names.push(...(body.items as { name: string }[]).map(({ name }) => name))
      if (body.next_cursor === null) break
      path = `/api/baskets?limit=2&cursor=${body.next_cursor}`
    }
    expect(names).toEqual(['5', '4', '3', '2', '1'])
  })

  test('made within the same millisecond are listed once each', async () => {
    const by = randomUUID()
    await setting.admin(
      `insert into baskets (workspace_id, name, created_by, created_at)
       select $1, n::text, 'user:alice', '2026-01-01 12:00:00.5' from generate_series(1, 5) n`,
      [by],
    )
    const seen: string[] = []
    let cursor = ''
    do {
      const query = `limit=2${cursor && `&cursor=${cursor}`}`
      const { body } = await setting.send(
        await setting.onBehalfOf('alice', by),
        'GET',
        `/api/baskets?${query}`,
      )
      seen.push(...(body.items as { name: string }[]).map(({ name }) => name))
      cursor = body.next_cursor ?? ''
    } while (cursor)
    expect(seen.sort()).toEqual(['1', '2', '3', '4', '5'])
  })

  test('deleted ones are gone with their dumps', async () => {
    const { body } = await create()
    const dump = await send('POST', '/api/dumps/new', { basket_id: body.id, content: 'text' })
    await send('DELETE', `/api/baskets/${body.id}`).expect(204)
    await send('GET', `/api/baskets/${body.id}`).expect(404)
    await send('DELETE', `/api/baskets/${body.id}`).expect(404)
    expect(await setting.admin('select 1 from raw_dumps where id = $1', [dump.body.id])).toEqual([])
  })
})

describe('raw dumps', () => {
  test('keep their text exactly, and are listed newest first, page by page', async () => {
    const basket = (await create()).body.id
    const texts = ['first\r\n\ttab ', '  ünïcödé 🦑 ', '{"json": "\\u0000 is text here"}']
    for (const content of texts) {
      const source = 'https://example.org/'
      const answer = await send('POST', '/api/dumps/new', { basket_id: basket, content, source }).expect(201)
      expect(answer.body).toMatchObject({
        basket_id: basket,
        workspace_id: workspace,
        content,
        source,
        created_by: 'user:alice',
      })
    }
    const first = (await send('GET', `/api/baskets/${basket}/dumps?limit=2`)).body
    const second = (await send('GET', `/api/baskets/${basket}/dumps?limit=2&cursor=${first.next_cursor}`))
      .body
    const contents = [...first.items, ...second.items].map(({ content }: { content: string }) => content)
    expect(contents).toEqual(texts.toReversed())
    expect(second.next_cursor).toBeNull()
  })

  test('take 500,000 characters, even when each is escaped to six bytes, and not one more', async () => {
    const basket = (await create()).body.id
    const json = (count: number) => `{"basket_id":"${basket}","content":"${'\\u00e9'.repeat(count)}"}`
    const post = (body: string) => send('POST', '/api/dumps/new').type('json').send(body)
    expect((await post(json(500_000))).status).toBe(201)
    expect((await post(json(500_001))).status).toBe(400)
    expect((await post(json(600_000))).status).toBe(413)
  })

  test('for a basket that is not there are refused, and nothing is kept', async () => {
    const answer = await send('POST', '/api/dumps/new', { basket_id: randomUUID(), content: 'lost' })
    expect(answer.status).toBe(404)
    expect(await setting.admin(`select 1 from raw_dumps where content = 'lost'`)).toEqual([])
  })
})

describe('the audit', () => {
  const auditOf = (requestId: string) =>
    setting.admin(
      'select actor, on_behalf_of, actors, action, resource, outcome from audit where request_id = $1 order by id',
      [requestId],
    )

  test('has a row for every operation: which service, for whom, on what', async () => {
    const { body: basket } = await create()
    const dump = await send('POST', '/api/dumps/new', { basket_id: basket.id, content: 'text' }).set(
      'X-Request-ID',
      'd',
    )
    await create({ name: 'x' }).then(() => undefined)
    const made = await send('POST', '/api/baskets', { name: 'x' }).set('X-Request-ID', 'c')
    await send('GET', '/api/baskets').set('X-Request-ID', 'l')
    await send('GET', `/api/baskets/${basket.id}`).set('X-Request-ID', 'r')
    await send('GET', `/api/baskets/${basket.id}/dumps`).set('X-Request-ID', 'ld')
    await send('DELETE', `/api/baskets/${basket.id}`).set('X-Request-ID', 'x')
    const row = (action: string, rest: string) => ({
      actor: 'service:work-platform',
      on_behalf_of: 'user:alice',
      actors: ['work-platform', 'gateway'],
      action,
      resource: `workspaces/${workspace}/baskets${rest}`,
      outcome: 'success',
    })
    expect(await auditOf('c')).toEqual([row('basket.create', `/${made.body.id}`)])
    expect(await auditOf('l')).toEqual([row('basket.list', '')])
    expect(await auditOf('r')).toEqual([row('basket.read', `/${basket.id}`)])
    expect(await auditOf('d')).toEqual([row('dump.create', `/${basket.id}/dumps/${dump.body.id}`)])
    expect(await auditOf('ld')).toEqual([row('dump.list', `/${basket.id}/dumps`)])
    expect(await auditOf('x')).toEqual([row('basket.delete', `/${basket.id}`)])
  })

  test('and the work stand or fall together', async () => {
    await setting.admin('revoke insert on audit from substrate_api_user')
    try {
      await create({ name: 'Unaudited' }).then(({ status }) => expect(status).toBe(500))
      expect(await setting.admin(`select 1 from baskets where name = 'Unaudited'`)).toEqual([])
    } finally {
      await setting.admin('grant insert on audit to substrate_api_user')
    }
  })

  test('has no success of what was refused', async () => {
    await send('DELETE', `/api/baskets/${randomUUID()}`).set('X-Request-ID', 'refused')
    expect(await auditOf('refused')).toEqual([])
  })
})
