import { Problem } from '@waybill/service-kit'

type QueryValue = string | number | boolean | readonly string[] | undefined

/**
 * The path of an endpoint with its `:parameters` filled in, each encoded whole, and its query.
 * @throws TypeError when a parameter is missing; Problem bad_request when it is nothing, or a dot segment that a server
 * would resolve away
 */
export function pathFor(template: string, params: unknown, query: unknown): string {
  const values = (params ?? {}) as Record<string, unknown>
  const path = template.replace(/:(\w+)/g, (_, name: string) => {
    const value = values[name]
    if (typeof value !== 'string' && typeof value !== 'number')
      throw new TypeError(`${template} needs ${name}`)
    const text = String(value)
    if (['', '.', '..'].includes(text) || !text.isWellFormed()) {
      throw new Problem('bad_request', `This ${name} cannot stand in a path.`)
    }
    return encodeURIComponent(text)
  })
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries((query ?? {}) as Record<string, QueryValue>)) {
    if (value !== undefined) search.set(name, Array.isArray(value) ? value.join(',') : String(value))
  }
  return search.size > 0 ? `${path}?${search.toString()}` : path
}
