import type { IncomingHttpHeaders } from 'node:http'

/** The token of `Authorization: Bearer`. */
export function bearerOf({ authorization = '' }: IncomingHttpHeaders): string | undefined {
  return /^Bearer (\S+)$/i.exec(authorization)?.[1]
}

export function headerOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join() : value
}
