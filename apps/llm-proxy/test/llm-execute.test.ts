import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { json } from './fixtures/scripted-upstream.ts'
import { startLlmSetting } from './llm-setting.ts'
import type { LlmSetting } from './llm-setting.ts'

let setting: LlmSetting
beforeAll(async () => {
  setting = await startLlmSetting({ EMBED_BATCH_SIZE: '2' })
})
beforeEach(() => {
  Object.assign(setting.dataStore, { records: [], seen: [], fault: undefined })
})
afterAll(() => setting.close())

const execute = (operation: string, input: object) => setting.post('/execute', { operation, input })

/** A vendor that embeds by `vectorOf`, its list in the wrong order, and replies with `reply`. */
function vendor(reply: string, vectorOf: (text: string) => unknown = () => [3, 4]) {
  setting.upstream.script = (res, request) => {
    const body = JSON.parse(request.body.toString()) as { input?: string[] }
    const data = body.input?.map((text, index) => ({ index, embedding: vectorOf(text) })).reverse()
    const message = { role: 'assistant', content: reply }
    const answer = data ? { object: 'list', data } : { choices: [{ message, finish_reason: 'stop' }] }
    json(JSON.stringify(answer))(res)
  }
}

describe('/execute with a model of a vendor', () => {
  it('embeds, with vectors of length 1 in the order of the texts', async () => {
    vendor('', (text) => (text === 'a' ? [3, 4] : [0, 2]))
    const { status, body } = await execute('embed', {
      model: 'openai/embedder',
      texts: ['a', 'b'],
      dimensions: 2,
    })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      embeddings: [
        [0.6, 0.8],
        [0, 1],
      ],
      dimensions: 2,
      model: 'openai/embedder',
      tokens: 2,
    })
    expect(setting.sent()).toMatchObject({
      url: '/v1/embeddings',
      body: { model: 'embedder', input: ['a', 'b'], dimensions: 2 },
    })
  })

  it.each([
    ['of zeros', () => [0, 0]],
    ['that are no numbers', () => ['1', 2]],
    ['in base64', () => 'AACAPw=='],
    ['of different lengths', (text: string) => (text === 'a' ? [1] : [1, 2])],
    ['that are empty', () => []],
  ])('takes no vectors %s', async (_, vectorOf) => {
    vendor('', vectorOf)
    const { status, body } = await execute('embed', { model: 'openai/embedder', texts: ['a', 'b'] })
    expect([status, body.code]).toEqual([502, 'upstream_failed'])
  })

  it('says that a provider has no embeddings', async () => {
    const { status, body } = await execute('embed', { model: 'anthropic/x', texts: ['a'] })
    expect(status).toBe(400)
    expect(body.detail).toContain('anthropic')
  })

  it('summarizes in no more sentences than are asked for', async () => {
    vendor('One thing. Another thing. A third thing.')
    const input = { model: 'mistral/m', text: 'A long text about things.', max_sentences: 2 }
    const { status, body } = await execute('summarize', input)
    expect(status).toBe(200)
    expect(body).toMatchObject({ summary: 'One thing. Another thing.', sentences: 2, model: 'mistral/m' })
    expect(JSON.stringify(setting.sent().body)).toContain('at most 2 sentences')
  })

  it('takes no summary that is empty', async () => {
    vendor(' ')
    expect((await execute('summarize', { model: 'mistral/m', text: 'x' })).status).toBe(502)
  })

  describe('answers from memory', () => {
    const QUESTION = 'How much are the goods insured for?'
    const ask = (more: object = {}) =>
      execute('answer', {
        question: QUESTION,
        model: 'openai/gpt-x',
        embedding_model: 'openai/embedder',
        ...more,
      })
    /** Two passages, of which the one about the insurance is nearer to the question. */
    const near = (text: string) => (text.includes('insured') ? [1, 0] : [1, 1])
    const remember = async () => {
      vendor('', near)
      const markdown = '# W\n\nThe goods are insured for 48,000 euros.\n\n## H\n\nKeep the crates dry.'
      const document = { name: 'w.pdf', text: 'unused', markdown }
      const { status, body } = await execute('index', { document, model: 'openai/embedder' })
      expect([status, body.chunks]).toEqual([200, 2])
    }

    it('with the passages that the reply cites, and without the citations', async () => {
      await remember()
      expect(setting.dataStore.records.find(({ backend }) => backend === 'lancedb')?.data).toMatchObject({
        embedding_model: 'openai/embedder',
        vector: [1, 0],
      })
      vendor('They are insured for 48,000 euros [1]. Nothing else [9].', near)
      const { status, body } = await ask()
      expect(status).toBe(200)
      expect(body).toMatchObject({
        answer: 'They are insured for 48,000 euros. Nothing else.',
        model: 'openai/gpt-x',
      })
      expect(body.passages).toHaveLength(1)
      expect(body.passages[0]).toMatchObject({
        text: expect.stringContaining('48,000'),
        document: 'w.pdf',
        score: 1,
      })
      const prompt = JSON.stringify(setting.sent().body)
      expect(prompt).toContain('[1]')
      expect(prompt).toContain('Keep the crates dry.')
      expect(prompt).toContain(QUESTION)
    })

    it.each(['NONE', 'none.', 'They are insured for a million.', 'For a million [7].', '[1]'])(
      'with nothing when the reply shows no passage: %s',
      async (reply) => {
        await remember()
        vendor(reply, near)
        expect((await ask()).body).toEqual({ answer: null, passages: [], model: 'openai/gpt-x' })
      },
    )

    it('asks no model about an empty memory', async () => {
      vendor('Something [1].')
      const before = setting.upstream.seen.length
      expect((await ask()).body).toMatchObject({ answer: null, passages: [] })
      const asked = setting.upstream.seen.slice(before).map(({ url }) => url)
      expect(asked).toEqual(['/v1/embeddings'])
    })
  })

  it('leaves nothing of a document whose embeddings fail midway', async () => {
    let calls = 0
    setting.upstream.script = (res) => {
      calls += 1
      if (calls === 1) json('{"data":[{"index":0,"embedding":[1,0]},{"index":1,"embedding":[1,0]}]}')(res)
      else json('{"error":{"message":"no more"}}', { status: 429 })(res)
    }
    const text = ['First part.', 'Second part.', 'Third part.']
      .map((part, at) => `# H${String(at)}\n\n${part}`)
      .join('\n\n')
    const document = { name: 'w.md', text: 'unused', markdown: text }
    expect((await execute('index', { document, model: 'openai/embedder' })).status).toBe(429)
    expect(calls).toBe(2)
    expect(setting.dataStore.records).toEqual([])
  })
})
