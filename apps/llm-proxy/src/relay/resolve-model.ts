import { Problem } from '@waybill/service-kit'
import type { Models } from '../models.ts'
import type { Catalog, ProviderDefinition } from '../providers/provider-definition.ts'
import type { Routing } from '../routing/routing.ts'

/** Where the model of a request on /v1 is. */
export interface ResolvedModel {
  provider: ProviderDefinition
  /** As that provider calls it. */
  model: string
  /** The route that was named in place of a model. */
  alias?: string | undefined
}

export interface ResolverOptions {
  catalog: Catalog
  routing: Pick<Routing, 'alias'>
  /** The models that are answered for here. */
  own: Pick<Models, 'list'>
}

/**
 * Returns how to find a model by the name that clients give it: `<provider>/<model>`, or a route of PROVIDERS_FILE. `own`
 * stands for one that is answered for here.
 * @throws Problem not_found, `reason: model_not_found`
 */
export function createResolver({ catalog, routing, own }: ResolverOptions) {
  const ours = new Set(own.list().map(({ provider }) => provider))
  return (name: string): ResolvedModel | 'own' => {
    const slash = name.indexOf('/')
    if (slash === -1) {
      const found = routing.alias(name)
      if (found) return found
      throw unknown(name, catalog)
    }
    const prefix = name.slice(0, slash)
    if (ours.has(prefix)) return 'own'
    const provider = catalog.find(prefix)
    const model = name.slice(slash + 1)
    if (!provider || model === '') throw unknown(name, catalog)
    return { provider, model }
  }
}

function unknown(name: string, catalog: Catalog): Problem {
  const names = ['local', ...catalog.all().map((provider) => provider.name)].join(', ')
  return new Problem(
    'not_found',
    `There is no model ${name}. A model is named <provider>/<model>, such as openai/gpt-5; there are the providers ${names}.`,
    { extensions: { param: 'model', reason: 'model_not_found' } },
  )
}
