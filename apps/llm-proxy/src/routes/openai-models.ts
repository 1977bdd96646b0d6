import { SDK_SCHEMES, user } from '@waybill/auth'
import { llmProxy } from '@waybill/contracts'
import { Problem, route } from '@waybill/service-kit'
import type { Route, RouteInput, UserPrincipal } from '@waybill/service-kit'
import type { Models } from '../models.ts'
import type { Loop } from '../relay/loop.ts'
import type { ModelList } from '../vendors/model-list.ts'
import { ERROR_BODIES } from './described.ts'

type Asked = Pick<
  RouteInput<unknown, unknown, unknown, UserPrincipal>,
  'req' | 'principal' | 'log' | 'signal'
>

/** `GET /v1/models` and `GET /v1/models/<id>` as OpenAI's API reference describes them: ours, and those of the user's providers. */
export function modelsRoutes(models: Models, vendors: ModelList, loop: Pick<Loop, 'refuse'>): Route[] {
  const list = async ({ req, principal, log, signal }: Asked) => {
    // Where a provider's address leads back here, its models are asked for here.
    loop.refuse(req.headers)
    const own = models.list().map(({ id, created, provider }) => ({ id, created, owned_by: provider }))
    const all = [...own, ...(await vendors.of(principal, log, signal))]
    return all.map((model) => ({ ...model, object: 'model' as const }))
  }
  const behaviour = {
    auth: user('agents.query'),
    renderProblem: llmProxy.openAiError,
    describes: { schemes: SDK_SCHEMES.anywhere, error: ERROR_BODIES.openai },
  }
  return [
    route(llmProxy.models, {
      ...behaviour,
      problems: ['loop_detected'],
      handle: async (input) => ({ object: 'list' as const, data: await list(input) }),
    }),
    route(llmProxy.model, {
      ...behaviour,
      problems: ['not_found', 'loop_detected'],
      handle: async (input) => {
        const id = input.params.id.join('/')
        const found = (await list(input)).find((model) => model.id === id)
        if (found) return found
        throw new Problem('not_found', `There is no model ${id}. GET /v1/models lists those there are.`, {
          extensions: { param: 'model', reason: 'model_not_found' },
        })
      },
    }),
  ]
}
