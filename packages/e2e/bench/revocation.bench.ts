import { SERVICES } from '@waybill/contracts'
import type { ServiceName } from '@waybill/contracts'
import { startPlatform } from '@waybill/dev-env'
import { median } from './compare.ts'

// How long a logout takes to reach each service that is called directly, with an access token that lives for hours.

const ROUNDS = 15
const PASSWORD = 'correct horse battery staple'
/** A route of each service that is for users with the platform's own token; what it answers beside 401 does not matter. */
const GUARDED: Partial<Record<ServiceName, readonly [method: string, path: string]>> = {
  gateway: ['GET', '/auth/me'],
  'auth-service': ['GET', '/auth/me'],
  'llm-proxy': ['GET', '/v1/models'],
  data_store: ['GET', '/v1/backends'],
  docling: ['POST', '/v1/convert/source'],
  'work-platform': ['GET', '/api/workspaces'],
}

const platform = await startPlatform({ env: { ...process.env, LOG_LEVEL: 'silent' } })
try {
  const took = new Map<ServiceName, number[]>()
  const auth = platform.services['auth-service']
  for (let round = 0; round < ROUNDS; round += 1) {
    const name = `bench-${round}`
    await post('/auth/register', { username: name, email: `${name}@example.test`, password: PASSWORD })
    const session = await post('/auth/login', { username: name, password: PASSWORD })
    const { access_token: token } = (await session.json()) as { access_token: string }
    const services = SERVICES.filter((service) => GUARDED[service] !== undefined)
    for (const service of services) {
      if ((await statusAt(service, token)) === 401) throw new Error(`${service} refuses a good token`)
    }
    await post('/auth/logout', undefined, token)
    const began = performance.now()
    await Promise.all(
      services.map(async (service) => {
        while ((await statusAt(service, token)) !== 401)
          await new Promise((resolve) => setTimeout(resolve, 5))
        took.set(service, [...(took.get(service) ?? []), performance.now() - began])
      }),
    )
  }
  for (const [service, ms] of took) {
    process.stdout.write(
      `${service.padEnd(14)} refuses the token after ${median(ms).toFixed(0)} ms (median of ${ROUNDS}), ${Math.max(...ms).toFixed(0)} ms at most\n`,
    )
  }

  async function statusAt(service: ServiceName, token: string): Promise<number> {
    const [method, path] = GUARDED[service] ?? ['GET', '/']
    const headers = { Authorization: `Bearer ${token}` }
    const response = await fetch(platform.services[service] + path, { method, headers })
    await response.arrayBuffer()
    return response.status
  }
  async function post(path: string, body: unknown, token?: string): Promise<Response> {
    const response = await fetch(auth + path, {
      method: 'POST',
      headers: {
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
    return response
  }
} finally {
  await platform.close()
}
