import { expect, it } from 'vitest'
import { z } from 'zod'
import * as contracts from '../src/index.ts'
import type { Endpoint } from '../src/index.ts'

const isEndpoint = (value: unknown): value is Endpoint =>
  typeof value === 'object' && value !== null && 'path' in value && 'method' in value

/** Every endpoint of every service, by the name under which it is exported. */
const endpoints = Object.entries(contracts).flatMap(([service, group]) =>
  Object.entries(group)
    .filter((entry): entry is [string, Endpoint] => isEndpoint(entry[1]))
    .map(([name, endpoint]) => ({ name: `${service}.${name}`, endpoint })),
)

it('finds the endpoints it is about', () => {
  expect(endpoints.length).toBeGreaterThan(15)
})

it.each(endpoints)('$name has a schema for exactly the parameters of its path', ({ endpoint }) => {
  const named = [...endpoint.path.matchAll(/[:*](\w+)/g)].map(([, name]) => name)
  const schema = endpoint.params instanceof z.ZodObject ? Object.keys(endpoint.params.shape) : []
  expect(schema.sort()).toEqual(named.sort())
})

it.each(endpoints)('$name takes a body only where HTTP gives one a meaning', ({ endpoint }) => {
  if (endpoint.method === 'GET' || endpoint.method === 'DELETE') expect(endpoint.body).toBeUndefined()
})

it.each(endpoints)('$name belongs to a service of the platform', ({ endpoint }) => {
  expect(contracts.SERVICES).toContain(endpoint.service)
})
