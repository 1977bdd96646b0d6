import { user } from '@waybill/auth'
import { llmProxy } from '@waybill/contracts'
import { Problem, route } from '@waybill/service-kit'
import type { Logger, Route, UserPrincipal } from '@waybill/service-kit'
import type { Models } from '../models.ts'
import type { ModelList } from '../vendors/model-list.ts'

/** `GET /v1/models` and `GET /v1/models/<id>` as OpenAI's API reference describes them: ours, and those of the user's providers. */
export function modelsRoutes(models: Models, vendors: ModelList): Route[] {
  const list = async (principal: UserPrincipal, log: Logger) => {
    const own = models.list().map(({ id, created, provider }) => ({ id, created, owned_by: provider }))
    const all = [...own, ...(await vendors.of(principal, log))]
    return all.map((model) => ({ ...model, object: 'model' as const }))
  }
  const behaviour = { auth: user('agents.query'), renderProblem: llmProxy.openAiError }
  return [
    route(llmProxy.models, {
      ...behaviour,
      handle: async ({ principal, log }) => ({ object: 'list' as const, data: await list(principal, log) }),
    }),
    route(llmProxy.model, {
      ...behaviour,
      problems: ['not_found'],
      handle: async ({ params, principal, log }) => {
        const id = params.id.join('/')
        const found = (await list(principal, log)).find((model) => model.id === id)
        if (found) return found
        throw new Problem('not_found', `There is no model ${id}. GET /v1/models lists those there are.`, {
          extensions: { param: 'model', reason: 'model_not_found' },
        })
      },
    }),
  ]
}
