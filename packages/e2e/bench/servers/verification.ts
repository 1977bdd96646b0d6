import { createServiceAuth, user } from '@waybill/auth'
import { createTestIssuer } from '@waybill/dev-env/testing'
import { createLogger, createService, loadConfig, protect, route, serviceEnv } from '@waybill/service-kit'
import { authEnv } from '@waybill/auth'
import express from 'express'
import { auth as oauth2JwtBearer } from 'express-oauth2-jwt-bearer'
import { z } from 'zod'
import { BODY, listen, reportTo } from '../serve-variant.ts'

// node servers/verification.ts <variant>: the same answer, behind different ways to verify an ES256 access token.

const PATH = '/v1/things'
const issuer = await createTestIssuer()
const token = await issuer.userToken('bench', { lifetimeSeconds: 3600 })
const config = loadConfig(z.object({ ...serviceEnv({ port: 0 }), ...authEnv }), {})
const auth = createServiceAuth({ config, issuer: issuer.issuer, audiences: ['waybill'] })
const { authenticate } = auth
await auth.start(new AbortController().signal)
const handle = (_req: express.Request, res: express.Response) => void res.json(BODY)

const VARIANTS: Record<string, () => Promise<number>> = {
  'express 5': () => listen(express().get(PATH, handle)),
  'express 5 + @waybill/auth': () =>
    listen(express().get(PATH, protect(authenticate, user('memory.read')), handle)),
  async 'express 5 + express-oauth2-jwt-bearer'() {
    const jwks = await listen(
      express().get('/jwks', async (_req, res) => void res.json(await issuer.issuer.jwks())),
    )
    const bearer = oauth2JwtBearer({
      issuer: config.AUTH_ISSUER,
      jwksUri: `http://127.0.0.1:${jwks}/jwks`,
      audience: 'waybill',
      tokenSigningAlg: 'ES256',
    })
    return listen(express().get(PATH, bearer, handle))
  },
  async 'service-kit + @waybill/auth'() {
    const output = z.object({ items: z.array(z.object({ id: z.number(), text: z.string() })) })
    const service = createService({
      name: 'bench',
      config,
      auth: { authenticate },
      // Every line is made, and goes nowhere.
      logger: createLogger({ service: 'bench', destination: { write: () => undefined } }),
      routes: [
        route('GET', PATH, { auth: user('memory.read'), summary: 'Things', output, handle: () => BODY }),
      ],
    })
    await service.start()
    return (await service.listen({ port: 0 })).port
  },
}

const start = VARIANTS[process.argv[2] ?? '']
if (!start) throw new Error(`Say which: ${Object.keys(VARIANTS).join(', ')}.`)
reportTo({ port: await start(), path: PATH, headers: { Authorization: `Bearer ${token}` } })
