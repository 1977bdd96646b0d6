import { readFileSync } from 'node:fs'
import type { Endpoint } from '@waybill/contracts'
import { fill, parseHttpFile } from './http-file.ts'
import type { HttpExample } from './http-file.ts'

/** Reads one of docs/http. */
export function readHttpFile(file: string): ReturnType<typeof parseHttpFile> {
  return parseHttpFile(readFileSync(new URL(`../../../docs/http/${file}`, import.meta.url), 'utf8'))
}

/** Sends the requests one after the other, with `values` in the place of variables. @throws when one is answered otherwise than it says */
export async function runExamples(
  examples: readonly HttpExample[],
  values: Map<string, string>,
): Promise<void> {
  for (const { name, title, method, url, headers, body, expect } of examples) {
    // Editors encode Basic credentials that are written with a colon.
    const filled = Object.entries(headers).map(([header, value]) => {
      const text = fill(value, values)
      const basic = /^Basic ([^:]+:.+)$/.exec(text)?.[1]
      return [header, basic === undefined ? text : `Basic ${Buffer.from(basic).toString('base64')}`] as const
    })
    const response = await fetch(fill(url, values), {
      method,
      headers: Object.fromEntries(filled),
      ...(body !== undefined && { body: fill(body, values) }),
      redirect: 'error',
    })
    const answer = await response.text()
    if (!expect.includes(response.status))
      throw new Error(`${title} (${method} ${url}): ${response.status}, ${answer.slice(0, 300)}`)
    if (name === undefined) continue
    for (const [field, value] of Object.entries(JSON.parse(answer) as Record<string, unknown>)) {
      values.set(`${name}.response.body.${field}`, String(value))
    }
  }
}

/** The endpoints of a contract that no request asks, as `POST /its/path`. */
export function missingEndpoints(
  contract: Readonly<Record<string, unknown>>,
  examples: readonly HttpExample[],
): string[] {
  const shown = examples.map(
    ({ method, url }) => `${method} ${url.replace(/^\{\{\w+\}\}/, '').replace(/\?.*$/, '')}`,
  )
  const pattern = ({ method, path }: Endpoint): RegExp =>
    new RegExp(`^${method} ${path.replaceAll(/:\w+/g, '[^/]+').replaceAll(/\*\w+/g, '.+')}$`)
  return Object.values(contract)
    .filter(isEndpoint)
    .filter((endpoint) => !shown.some((line) => pattern(endpoint).test(line)))
    .map(({ method, path }) => `${method} ${path}`)
}

function isEndpoint(value: unknown): value is Endpoint {
  return typeof value === 'object' && value !== null && 'method' in value && 'service' in value
}
