import { Problem } from '@waybill/service-kit'
import type { Model, Provider } from './provider.ts'

/** Who answers for a model. */
export interface Answerer {
  provider: Provider
  model: string
  /** The model's own; 0 when it makes no vectors. */
  dimensions: number
  /** Whether the model is one of this service's, and no vendor's. */
  isOwn: boolean
}

/** The models of all providers, by name. */
export interface Models {
  list(): readonly (Model & { provider: string })[]
  /**
   * The model named `id` (the default one of its kind when undefined) and the provider behind it.
   * @throws Problem not_found, or bad_request when the model is of the other kind
   */
  resolve(id: string | undefined, kind: Model['kind']): Answerer
}

/**
 * `others` knows models that nobody lists; they may be of either kind, and their provider finds out.
 * @throws Problem when a default is not one of the models
 */
export function createModels(
  providers: readonly Provider[],
  defaults: Record<Model['kind'], string>,
  others: (id: string) => Provider | undefined = () => undefined,
): Models {
  const known = providers.flatMap((provider) => provider.models.map((model) => ({ provider, model })))
  const models: Models = {
    list: () => known.map(({ provider, model }) => ({ ...model, provider: provider.name })),
    resolve(id, kind) {
      const asked = id ?? defaults[kind]
      const found = known.find(({ model }) => model.id === asked)
      if (!found) {
        const other = providers.some(({ name }) => asked.startsWith(`${name}/`)) ? undefined : others(asked)
        if (other) return { provider: other, model: asked, dimensions: 0, isOwn: false }
        throw new Problem('not_found', `There is no model ${asked}. GET /v1/models lists those there are.`, {
          extensions: { param: 'model', reason: 'model_not_found' },
        })
      }
      if (found.model.kind !== kind) {
        throw new Problem(
          'bad_request',
          `${asked} is ${NAMES[found.model.kind]}, and ${NAMES[kind]} is needed.`,
          {
            extensions: { param: 'model', reason: 'wrong_model_kind' },
          },
        )
      }
      const { dimensions = 0 } = found.model
      return { provider: found.provider, model: asked, dimensions, isOwn: true }
    },
  }
  // A default that is not there shall keep the service from starting, not fail its first caller.
  models.resolve(undefined, 'chat')
  models.resolve(undefined, 'embedding')
  return models
}

const NAMES = { chat: 'a chat model', embedding: 'an embedding model' } as const
