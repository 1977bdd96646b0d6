import { CREATED } from '../generate.ts'
import { json } from '../reply.ts'
import type { Reply } from '../reply.ts'
import { openAiError } from './errors.ts'

/** Models that behave; any other name is taken too. */
const MODELS = ['mock-model', 'mock-embedding'] as const

/** GET /v1/models and /v1/models/<id> */
export function models(id?: string): Reply {
  const model = (name: string) => ({ id: name, object: 'model', created: CREATED, owned_by: 'mock' })
  if (id === undefined) return json({ object: 'list', data: MODELS.map(model) }, { indent: 2 })
  const found = MODELS.find((name) => name === id)
  if (found !== undefined) return json(model(found), { indent: 2 })
  return openAiError(404, { message: `The model '${id}' does not exist`, param: 'model' })
}
