import { spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { createTestIssuer } from '@waybill/dev-env/testing'
import { freePort } from '@waybill/dev-env'
import type { Issuer } from '@waybill/auth'
import { loadConfig } from '@waybill/service-kit'
import type { Service } from '@waybill/service-kit'
import type { z } from 'zod'
import { cpuOfProcess, listen, reportTo } from '../serve-variant.ts'

// node servers/llm-proxy.ts <variant>: what stands between a client and the provider that the benchmark plays. `llm-proxy` with
// everything on: token, key decryption, limits, usage in Postgres, log, spans; Portkey's gateway as it comes; a forwarder of node
// alone, which does nothing but pass bytes; and the same `traced`, with what standard tracing puts on it: a span of the server and
// one of the client.

const variant = process.argv[2] ?? ''
const setting = (name: string): string => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is missing`)
  return value
}
const upstream = setting('BENCH_UPSTREAM')
const body = setting('BENCH_BODY')
const KEY = 'sk-bench-0123456789abcdef'

if (variant === 'llm-proxy') await serveLlmProxy()
else if (variant === 'Portkey') await servePortkey()
else if (variant === 'traced forwarder') await serveTracedForwarder()
else await serveForwarder()

async function serveLlmProxy(): Promise<void> {
  // Not for all: it patches node's http, which others have no use for.
  await import('@waybill/telemetry/register')
  const source = (file: string): string =>
    new URL(`../../../../apps/llm-proxy/src/${file}`, import.meta.url).href
  // Apps export nothing to packages; these two modules have the same shape in each of them.
  const { configSchema } = (await import(source('config.ts'))) as { configSchema: z.ZodObject }
  const { createApp } = (await import(source('app.ts'))) as {
    createApp: (config: unknown, overrides: { issuer: Issuer }) => Service
  }
  const issuer = await createTestIssuer()
  const unlimited = 'free=100000000,standard=100000000,premium=100000000'
  const service = createApp(
    loadConfig(configSchema, {
      SERVICE_SECRET: 'for a benchmark',
      DATABASE_URL: setting('BENCH_DATABASE_URL'),
      DATABASE_MIGRATION_URL: setting('BENCH_MIGRATION_URL'),
      PROVIDER_KEY_ENCRYPTION_KEYS: `v1:${hash('sha256', 'a benchmark', 'base64')}`,
      PROVIDER_URLS: `openai=${upstream},anthropic=${upstream}`,
      LLM_REQUESTS_PER_MINUTE: unlimited,
      LLM_TOKENS_PER_MINUTE: unlimited,
      LLM_CONCURRENT_REQUESTS: 'free=1000,standard=1000,premium=1000',
    }),
    { issuer: issuer.issuer },
  )
  await service.start()
  const { port, url } = await service.listen({ port: 0 })
  const token = await issuer.userToken('bench', { actors: ['gateway'], lifetimeSeconds: 3600 })
  const headers = { Authorization: `Bearer ${token}` }
  for (const provider of ['openai', 'anthropic']) {
    const added = await fetch(`${url}/keys`, {
      method: 'POST',
      headers: { ...headers, 'Content-Type': 'application/json' },
      body: JSON.stringify({ provider, key: KEY, name: `bench-${String(process.pid)}` }),
    })
    if (added.status !== 201) throw new Error(`the key was not added: ${await added.text()}`)
  }
  reportTo({ port, path: '/openai/v1/chat/completions', headers, body })
  process.once('SIGTERM', () => {
    void service.close().then(() => process.exit(0))
  })
}

async function servePortkey(): Promise<void> {
  const entry = createRequire(import.meta.url).resolve('@portkey-ai/gateway/build/start-server.js')
  const port = await freePort()
  const child = spawn(process.execPath, [entry, `--port=${String(port)}`, '--headless'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  process.once('exit', () => child.kill())
  process.once('SIGTERM', () => process.exit(0))
  const failed = once(child, 'exit').then(() => Promise.reject(new Error('Portkey did not start')))
  await Promise.race([failed, accepting(port)])
  const headers = {
    Authorization: `Bearer ${KEY}`,
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': `${upstream}/v1`,
  }
  const pid = child.pid ?? 0
  reportTo({ port, path: '/v1/chat/completions', headers, body }, () => cpuOfProcess(pid))
}

/** Resolves when somebody listens there. */
async function accepting(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    socket.destroy()
    if (isThere) return
    await setTimeout(50)
  }
}

async function serveTracedForwarder(): Promise<void> {
  await import('@waybill/telemetry/register')
  await serveForwarder()
}

async function serveForwarder(): Promise<void> {
  const agent = new Agent({ keepAlive: true })
  const port = await listen((req, res) => {
    const { method, url = '', headers } = req
    const out = request(upstream + url, {
      method,
      agent,
      headers: { ...headers, host: new URL(upstream).host },
    })
    out.once('response', (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      answer.pipe(res)
    })
    req.pipe(out)
  })
  reportTo({ port, path: '/v1/chat/completions', headers: { Authorization: `Bearer ${KEY}` }, body })
}
