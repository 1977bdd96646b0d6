import type { Provider } from '../provider.ts'
import type { Catalog } from '../providers/provider-definition.ts'
import { createResolver } from '../relay/resolve-model.ts'
import type { Routing } from '../routing/routing.ts'
import { createVendorProvider } from './vendor-provider.ts'
import type { VendorOptions } from './vendor-provider.ts'

export interface VendorModelsOptions extends VendorOptions {
  catalog: Catalog
  routing: Pick<Routing, 'alias'>
}

/** Returns what finds the Provider of a vendor's model by its name, `<provider>/<model>` or a route of PROVIDERS_FILE. */
export function vendorModels({ catalog, routing, ...options }: VendorModelsOptions) {
  const resolve = createResolver({ catalog, routing, own: { list: () => [] } })
  return (name: string): Provider | undefined => {
    const slash = name.indexOf('/')
    const isKnown = slash === -1 ? routing.alias(name) : catalog.find(name.slice(0, slash))
    const target = isKnown && resolve(name)
    return target === undefined || target === 'own' ? undefined : createVendorProvider(target, options)
  }
}
