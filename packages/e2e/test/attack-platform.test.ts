import { authService, SERVICES } from '@waybill/contracts'
import type { ServiceName } from '@waybill/contracts'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { ATTACKS } from '../src/attack/cases/index.ts'
import { table } from '../src/attack/report.ts'
import { runAttacks } from '../src/attack/run.ts'
import { createTarget } from '../src/attack/target.ts'
import type { Target, TargetOptions } from '../src/attack/target.ts'
import { newUser } from '../src/user.ts'
import type { User } from '../src/user.ts'

const { services } = inject('platform')

let user: User
let other: User
let apiKey: string

beforeAll(async () => {
  user = await newUser(services.gateway)
  other = await newUser(services.gateway)
  const json = { name: 'attack', permissions: ['memory.read', 'tasks.read', 'tasks.create', 'agents.query'] }
  const made = await user.ask('/auth/api-keys', { json })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  apiKey = authService.createdApiKey.parse(made.body).api_key
})

/** What cannot be found in the service's own description: the plainest routes of the others are not for API keys. */
const SPECIAL: Partial<Record<ServiceName, TargetOptions>> = {
  gateway: { guarded: { method: 'GET', path: '/data/v1/backends' } },
  'llm-proxy': { guarded: { method: 'POST', path: '/tokenize', body: JSON.stringify({ text: 'a' }) } },
  // The only guarded routes of docling take a document.
  docling: {
    guarded: {
      method: 'POST',
      path: '/v1/convert/source',
      body: JSON.stringify({ sources: [{ kind: 'file', base64_string: 'IyBI', filename: 'a.md' }] }),
    },
  },
}

async function attacked(
  service: ServiceName,
  work: (target: Target) => Promise<void>,
  special: TargetOptions | undefined = SPECIAL[service],
): Promise<void> {
  const target = await createTarget(services[service], {
    ...{ token: user.token, otherToken: other.token, apiKey },
    jwksUrl: services['auth-service'] + authService.jwks.path,
    ...special,
  })
  try {
    await work(target)
  } finally {
    await target.close()
  }
}

describe('no attack goes through', () => {
  it.each(SERVICES)('at %s', async (service) => {
    await attacked(service, async (target) => {
      const results = await runAttacks(target, ATTACKS)
      expect(
        results.filter(({ outcome }) => outcome === 'fail'),
        table(results),
      ).toEqual([])
      // substrate-api takes no token of a user, so that nobody can be given a good one.
      expect(target.tokenTrouble !== undefined).toBe(service === 'substrate-api')
      if (target.tokenTrouble !== undefined) return
      const skipped = results.filter(({ outcome }) => outcome === 'skipped').map(({ id }) => id)
      const hasAccounts = service === 'gateway' || service === 'auth-service'
      const untried = skipped.filter((id) => hasAccounts || !id.startsWith('accounts/'))
      expect(untried, table(results)).toEqual([])
    })
  })
})

describe("on a path of a vendor's protocol", () => {
  /** The parameter `key`, as Google's API has it. */
  const documented = ['credentials/in-the-query', 'api-keys/in-other-places']
  it.each(['gateway', 'llm-proxy'] as const)(
    'only what is documented there goes through at %s',
    async (service) => {
      const work = async (target: Target): Promise<void> => {
        const results = await runAttacks(target, ATTACKS)
        const through = results.filter(({ outcome }) => outcome === 'fail').map(({ id }) => id)
        expect(through, table(results)).toEqual(documented)
      }
      await attacked(service, work, { guarded: { method: 'GET', path: '/v1/models' } })
    },
  )
})
