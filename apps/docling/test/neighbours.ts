import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { authService, llmProxy } from '@waybill/contracts'

export interface SeenCall {
  path: string
  headers: IncomingMessage['headers']
  body: string
}

/**
 * Stands for auth-service and llm-proxy on one socket: answers in the shapes of their contracts and remembers what it
 * was asked.
 */
export async function startNeighbours() {
  const calls: SeenCall[] = []
  let failure: { status: number; code: string; detail: string } | undefined
  const server = createServer((req, res) => void answer(req, res))

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = req.url ?? ''
    const body = await text(req)
    calls.push({ path, headers: req.headers, body })
    if (path === authService.TOKEN_PATH) {
      const audience = new URLSearchParams(body).get('audience') ?? ''
      const token = { access_token: `for-${audience}`, token_type: 'Bearer', expires_in: 300, scope: '' }
      send(res, 200, authService.tokenResponse.parse(token))
      return
    }
    if (failure) {
      send(res, failure.status, failure)
      return
    }
    if (path === '/tokenize') {
      const request = llmProxy.tokenizeRequest.parse(JSON.parse(body))
      const tokens = request.text.split(/\s+/).length
      send(res, 200, llmProxy.tokenizeResponse.parse({ tokens, model: 'local', encoding: 'words' }))
      return
    }
    if (path === '/execute') {
      const request = llmProxy.executeRequest.parse(JSON.parse(body))
      if (request.operation !== 'index') {
        send(res, 400, { code: 'bad_request', detail: 'index only' })
        return
      }
      const { collection = 'documents', document } = request.input
      const output = { document_id: 'doc-1', collection, chunks: 1, tokens: document.text.length }
      send(res, 200, llmProxy.indexOutput.parse(output))
      return
    }
    send(res, 404, { code: 'not_found', detail: path })
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    /** From now on llm-proxy answers with this problem. */
    failWith: (problem: typeof failure) => {
      failure = problem
    },
    to: (path: string) => calls.filter((call) => call.path === path),
    reset() {
      calls.length = 0
      failure = undefined
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function send(res: ServerResponse, status: number, body: object) {
  res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}
