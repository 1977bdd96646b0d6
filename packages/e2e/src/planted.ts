import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Ask } from './user.ts'

/** One request with a secret somewhere in it, right or wrong. */
export interface Planted {
  what: string
  path: string
  ask: Ask
}

const TEXT = 'application/x-www-form-urlencoded'

/** A JWT in form, with `canary` in each part. */
const tokenLike = (canary: string): string =>
  ['header', 'payload']
    .map((part) => Buffer.from(`{"${part}":"${canary}"}`).toString('base64url'))
    .join('.') + `.${canary}`

/**
 * Requests with `canary` wherever people and programs put credentials: as one, as half of one, in the wrong header, in
 * the query, in the path, and in bodies that cannot be read. What has no form of its own, a password, is not looked for
 * in paths and request ids: nothing tells it from a word.
 */
export function plantedRequests(canary: string, paths: readonly string[]): Planted[] {
  const post = (body: string, type = 'application/json'): Ask => ({
    method: 'POST',
    body,
    headers: { 'Content-Type': type },
  })
  return paths.flatMap((path) => [
    { what: 'a bearer token', path, ask: { headers: { Authorization: `Bearer ${canary}` } } },
    { what: 'a JWT', path, ask: { headers: { Authorization: `Bearer ${tokenLike(canary)}` } } },
    { what: 'a token of no scheme', path, ask: { headers: { Authorization: canary } } },
    {
      what: 'Basic',
      path,
      ask: { headers: { Authorization: `Basic ${Buffer.from(`a:${canary}`).toString('base64')}` } },
    },
    { what: 'an API key', path, ask: { headers: { 'X-API-Key': `wb_${canary}` } } },
    {
      what: 'two credentials',
      path,
      ask: { headers: { 'X-API-Key': canary, Authorization: `Bearer ${canary}` } },
    },
    {
      what: 'a service secret',
      path,
      ask: { headers: { 'X-Service-Name': 'docling', Authorization: `Bearer ${canary}` } },
    },
    { what: 'an API key as the request id', path, ask: { headers: { 'X-Request-ID': `wb_${canary}` } } },
    { what: 'an API key as the path', path: `/wb_${canary}`, ask: {} },
    { what: 'a token in the path', path: `${path}/${tokenLike(canary)}`, ask: {} },
    { what: 'a cookie', path, ask: { headers: { Cookie: `session=${canary}` } } },
    { what: 'a proxy credential', path, ask: { headers: { 'Proxy-Authorization': `Bearer ${canary}` } } },
    { what: 'a query', path: `${path}?access_token=${canary}&password=${canary}`, ask: {} },
    {
      what: 'a password in JSON',
      path,
      ask: post(JSON.stringify({ username: 'nobody', password: canary, email: 'a@example.test' })),
    },
    {
      what: 'tokens in JSON',
      path,
      ask: post(JSON.stringify({ refresh_token: canary, token: canary, api_key: canary })),
    },
    {
      what: 'passwords of the wrong type',
      path,
      ask: post(JSON.stringify({ password: [canary], current_password: { a: canary } })),
    },
    { what: 'JSON that breaks off', path, ask: post(`{"password":"${canary}","new_password":"${canary}`) },
    {
      what: 'a form',
      path,
      ask: post(`grant_type=refresh_token&client_secret=${canary}&subject_token=${canary}`, TEXT),
    },
    { what: 'a form that is no form', path, ask: post(`%zz=${canary}&password=%`, TEXT) },
    { what: 'a body of another kind', path, ask: post(canary, 'text/plain') },
  ])
}

/** The places in the files under `folder`, of any kind, where one of `secrets` stands: `file: secret's name`. */
export function findInFiles(folder: string, secrets: Readonly<Record<string, string>>): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .flatMap((entry) => {
      const file = join(entry.parentPath, entry.name)
      const bytes = readFileSync(file)
      return Object.entries(secrets)
        .filter(([, secret]) => bytes.includes(secret))
        .map(([name]) => `${file}: ${name}`)
    })
}

/** The names of the secrets that stand in `text`, each with what is around it. */
export function findInText(text: string, secrets: Readonly<Record<string, string>>): string[] {
  return Object.entries(secrets).flatMap(([name, secret]) => {
    const at = text.indexOf(secret)
    return at < 0 ? [] : [`${name}: ${text.slice(Math.max(0, at - 200), at + secret.length)}`]
  })
}
