import { endpoint } from '@waybill/contracts'
import type { HttpClient } from '@waybill/http-client'
import { z } from 'zod'

// What a caller must know of a neighbour's route; the neighbour makes its route from the same value.
const getThing = endpoint({
  service: 'data_store',
  method: 'GET',
  path: '/v1/things/:id',
  summary: 'A thing',
  params: z.object({ id: z.string() }),
  output: z.object({ id: z.string(), name: z.string() }),
})

/** `http` is createHttpClient({ service: 'docling', config }), one for the whole service; closed when that closes. */
export function reporter(http: HttpClient, dataStoreUrl: string, providerUrl: string) {
  const dataStore = http.internal('data_store', dataStoreUrl)
  const provider = http.external({ allowHeaders: ['Content-Type'], allowPrivateOrigins: [] })
  return {
    /** Carries the user, the request id, the trace and the deadline of the request being served. */
    nameOf: async (id: string) => (await dataStore.call(getThing, { params: { id } })).name,
    /** Carries nothing of that. */
    publish: (key: string, text: string) =>
      provider.send({
        method: 'POST',
        url: `${providerUrl}/v1/reports`,
        headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ text }),
      }),
  }
}
