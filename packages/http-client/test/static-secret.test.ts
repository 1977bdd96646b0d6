import { Secret } from '@waybill/service-kit'
import { expect, test } from 'vitest'
import { client, getThing, issuer, recorder, serving, THING, thrown } from './stand.ts'

const SHARED = 'canary-shared-with-the-neighbour'

test('a neighbour of the older kind is sent the secret and the name of this service, and is told of no user', async () => {
  const [auth, neighbour] = await Promise.all([issuer(), recorder()])
  const http = client({ AUTH_SERVICE_URL: auth.url, PROPAGATION_MODE: 'passthrough' })
  const substrate = http.internal('llm-proxy', neighbour.url, { staticSecret: new Secret(SHARED) })
  await serving(() => substrate.call(getThing, THING))
  expect(neighbour.requests.at(-1)!.headers).toMatchObject({
    authorization: `Bearer ${SHARED}`,
    'x-service-name': 'docling',
    'x-user-id': '',
    'x-tenant-id': '',
    'x-request-id': 'journey-1',
  })
  expect(auth.requests).toEqual([])
  await http.close()
  await Promise.all([auth.close(), neighbour.close()])
})

test('a secret that is refused is our failure, is tried once, and is in no error', async () => {
  const neighbour = await recorder((_request, res) => res.writeHead(401).end('{}'))
  const http = client()
  const substrate = http.internal('llm-proxy', neighbour.url, { staticSecret: new Secret(SHARED) })
  const error = await thrown(serving(() => substrate.call(getThing, THING)))
  expect(error).toMatchObject({ code: 'upstream_failed' })
  expect(neighbour.requests).toHaveLength(1)
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('canary')
  await http.close()
  await neighbour.close()
})
