import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServiceAuth, open, user } from '@waybill/auth'
import { createTestIssuer } from '@waybill/dev-env/testing'
import { createLogger, createService, route, serviceEnv } from '@waybill/service-kit'
import express from 'express'
import { z } from 'zod'

// One server per process, so that its CPU time is its own: node bench/servers.ts <variant>. It tells its port and a token
// to whoever started it, and its CPU time, in microseconds, whenever it is asked.

const BODY = { items: Array.from({ length: 12 }, (_, at) => ({ id: at, text: 'x'.repeat(60) })) }

type Variant = (typeof VARIANTS)[number]
export const VARIANTS = ['express', 'service-kit', 'service-kit + auth'] as const

async function start(variant: Variant): Promise<{ port: number; token: string }> {
  const issuer = await createTestIssuer()
  const token = await issuer.userToken('bench', { lifetimeSeconds: 3600 })
  if (variant === 'express') {
    const app = express().get('/v1/things', (_req, res) => void res.json(BODY))
    return { port: await listen(createServer(app)), token }
  }
  const settings = z.object({ ...serviceEnv({ port: 0 }) }).parse({ LOG_LEVEL: 'info' })
  const config = {
    ...settings,
    AUTH_ISSUER: 'https://waybill.local',
    PLATFORM_AUDIENCE: 'waybill',
    TOKEN_CACHE_SIZE: 1000,
    CLOCK_SKEW_SECONDS: 30,
    MAX_TOKEN_LIFETIME_SECONDS: 90_000,
  }
  const { authenticate } = createServiceAuth({ config, keys: issuer.keys, audiences: ['waybill'] })
  const output = z.object({ items: z.array(z.object({ id: z.number(), text: z.string() })) })
  const auth = variant === 'service-kit' ? open('it is measured without') : user('memory.read')
  const logger = createLogger({ service: 'bench', destination: { write: () => undefined } })
  const routes = [route('GET', '/v1/things', { auth, summary: 'Things', output, handle: () => BODY })]
  const service = createService({ name: 'bench', config, logger, authenticate, routes })
  await service.start()
  return { port: (await service.listen({ port: 0 })).port, token }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const variant = VARIANTS.find((name) => name === process.argv[2])
if (variant) {
  process.send?.(await start(variant))
  process.on('message', () => {
    const { user: own, system } = process.cpuUsage()
    process.send?.({ cpu: own + system })
  })
}
