import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

const HEAD = { id: 'chatcmpl-bench', created: 1, model: 'gpt-4o' }
const USAGE = { prompt_tokens: 120, completion_tokens: 60, total_tokens: 180 }
const WHOLE = JSON.stringify({
  ...HEAD,
  object: 'chat.completion',
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: 'words of an answer '.repeat(15), refusal: null },
      logprobs: null,
      finish_reason: 'stop',
    },
  ],
  usage: USAGE,
})
const CHUNKS = 20
const chunk = (delta: unknown, finishReason: string | null = null): string =>
  frame({ choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }], usage: null })
const frame = (rest: object): string =>
  `data: ${JSON.stringify({ ...HEAD, object: 'chat.completion.chunk', ...rest })}\n\n`
const FRAMES = [
  ...Array.from({ length: CHUNKS }, () => chunk({ content: 'words of an answer ' })),
  chunk({}, 'stop'),
].map((each) => Buffer.from(each))
const LAST = Buffer.from(frame({ choices: [], usage: USAGE }))
const DONE = Buffer.from('data: [DONE]\n\n')

/** A provider that costs as little as can be: what it takes, it takes from the one who is measured. */
export async function startUpstream(): Promise<{ url: string; close(): Promise<void> }> {
  // Who is measured keeps its connections while others have their turn.
  const server = createServer({ keepAliveTimeout: 600_000 }, (req, res) => {
    void text(req).then((body) => {
      if (!body.includes('"stream":true')) {
        res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(WHOLE) })
        res.end(WHOLE)
        return
      }
      res.writeHead(200, { 'Content-Type': 'text/event-stream' })
      for (const each of FRAMES) res.write(each)
      if (body.includes('"include_usage":true')) res.write(LAST)
      res.end(DONE)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on a port, not on a pipe
  return {
    url: `http://127.0.0.1:${String(port)}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
