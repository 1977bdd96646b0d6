import { createService, env, Problem, route, serviceEnv } from '@waybill/service-kit'
import type { Guard, Service } from '@waybill/service-kit'
import { z } from 'zod'

export const configSchema = z.object({
  ...serviceEnv({ port: 8090 }),
  GREETING: env.text('Hello').describe('What is said to whoever is greeted'),
})
type Config = z.output<typeof configSchema>

// Guards are values. user(), service(), anyOf() and open() of @waybill/auth make them; this one is made by hand.
const anybody: Guard<undefined> = {
  description: 'anybody: a greeting is no secret',
  open: true,
  kinds: [],
  permissions: [],
  services: [],
  decide: () => ({ allowed: true }),
}

const greet = (greeting: string) =>
  route('GET', '/v1/greetings/:name', {
    auth: anybody,
    summary: 'Greet somebody',
    input: { params: z.object({ name: z.string().max(40) }) },
    output: z.object({ text: z.string() }),
    problems: ['not_found'],
    handle({ params, log }) {
      if (params.name === 'nobody') throw new Problem('not_found', 'Nobody is not here.')
      log.info('greeted')
      return { text: `${greeting}, ${params.name}` }
    },
  })

export function createApp(config: Config): Service {
  return createService({
    name: 'greeter',
    config,
    auth: { authenticate: () => Promise.resolve(undefined) }, // createServiceAuth() of @waybill/auth
    routes: [greet(config.GREETING)],
  })
}
