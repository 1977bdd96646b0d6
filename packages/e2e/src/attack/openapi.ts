/** One operation of a service, with something in place of each parameter of its path. */
export interface Operation {
  method: string
  path: string
  /** JSON that is sent along where a request has no body of its own. */
  body?: string
  /** Whether its description asks for a credential. */
  guarded?: boolean
}

interface Described {
  security?: unknown[]
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete']

/** The operations in the service's /openapi.json; none when it has no such document. */
export async function readDocument(url: URL): Promise<Operation[]> {
  try {
    const answer = await fetch(new URL('/openapi.json', url), { signal: AbortSignal.timeout(5_000) })
    const { paths, security } = (await answer.json()) as {
      paths?: Record<string, Record<string, Described>>
      security?: unknown[]
    }
    return Object.entries(paths ?? {}).flatMap(([path, operations]) =>
      METHODS.filter((method) => operations[method]).map((method) => ({
        method: method.toUpperCase(),
        path: path.replace(/\{\w+\}/g, 'x'),
        guarded: (operations[method]?.security ?? security ?? []).length > 0,
      })),
    )
  } catch {
    return [] // Not every service describes itself.
  }
}

/** The guarded operations, plainest first: GET before others, without parameters before others, short before long. */
export function guardedOperations(operations: readonly Operation[]): Operation[] {
  const weight = ({ method, path }: Operation): number =>
    path.length + (path.split('/').includes('x') ? 1_000 : 0) + (method === 'GET' ? 0 : 10_000)
  return operations.filter(({ guarded }) => guarded).sort((one, other) => weight(one) - weight(other))
}
