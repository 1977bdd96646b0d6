import { z } from 'zod'
import { endpoint } from '../endpoint.ts'

/**
 * `/keys`: a user's own keys for providers. A key goes in and never comes out: what is told of it is its last four characters.
 * Nothing of a body is quoted in an error, not even the name of a member: somebody may have put the key there.
 */

const unknownMember = {
  error: ({ code }: { code?: string }) =>
    code === 'unrecognized_keys' ? 'There is a member that this route does not know.' : undefined,
}

/** What is said of a body as a whole is said when its members are as they should be. */
const isElseRight = ({ issues }: { issues: readonly unknown[] }) => issues.length === 0

/** The name of a provider, of those that are built in or configured. */
export const providerName = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, 'must be the name of a provider')

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i

/** A name or an id chooses a key, in the header X-Provider-Key too, so a name never looks like an id. */
export const keyName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'must be 1 to 64 letters, digits, dots, hyphens or underscores, the first a letter or a digit',
  )
  .refine((name) => !UUID.test(name), 'must not look like an id')

/** The secret itself. */
export const providerSecret = z
  .string()
  .regex(/^[\x21-\x7e]{8,500}$/, 'must be 8 to 500 characters of ASCII that can be seen, without spaces')

/** The shortest part of a key that counts as one when it stands in a name. */
const TELLING_CHARS = 8
const namesTheKey = ({ name = '', key }: { name?: string | undefined; key: string }) =>
  name.includes(key) || (name.length >= TELLING_CHARS && key.includes(name))

export const providerKey = z.object({
  id: z.uuid(),
  provider: z.string(),
  name: z.string(),
  /** In place of the provider's own endpoint. */
  base_url: z.string().nullable(),
  /** Null for a key of under 12 characters, of which these would be too much. */
  last_four: z.string().length(4).nullable(),
  default: z.boolean(),
  created_at: z.iso.datetime(),
  rotated_at: z.iso.datetime().nullable(),
  /** When the provider last said that the key is good. */
  checked_at: z.iso.datetime().nullable(),
})
export type ProviderKey = z.infer<typeof providerKey>

export const addKeyRequest = z
  .strictObject(
    {
      provider: providerName,
      key: providerSecret,
      name: keyName.optional(),
      base_url: z.string().min(1).max(2048).optional(),
      default: z.boolean().optional(),
      check: z.boolean().optional(),
    },
    unknownMember,
  )
  .refine((body) => !namesTheKey(body), { error: 'must not be the key', path: ['name'], when: isElseRight })
export type AddKeyRequest = z.infer<typeof addKeyRequest>

const service = 'llm-proxy' as const
const permission = 'agents.query'
const params = z.object({ id: z.uuid('must be an id') })

export const addKey = endpoint({
  ...{ service, permission },
  method: 'POST',
  path: '/keys',
  summary:
    'Keep a key for a provider; with `check` only if the provider says that it is good. The first one for a provider is its default.',
  body: addKeyRequest,
  output: providerKey,
  status: 201,
})

export const listKeys = endpoint({
  ...{ service, permission },
  method: 'GET',
  path: '/keys',
  summary: 'The provider keys of the user, oldest first',
  query: z.object({ provider: providerName.optional() }),
  output: z.object({ keys: z.array(providerKey) }),
})

export const readKey = endpoint({
  ...{ service, permission },
  method: 'GET',
  path: '/keys/:id',
  summary: 'One of the provider keys of the user',
  params,
  output: providerKey,
})

export const changeKey = endpoint({
  ...{ service, permission },
  method: 'PATCH',
  path: '/keys/:id',
  summary: 'Another name for a provider key, or make it the default one for its provider',
  params,
  body: z
    .strictObject({ name: keyName.optional(), default: z.boolean().optional() }, unknownMember)
    .refine((body) => body.name !== undefined || body.default !== undefined, {
      error: 'Give `name` or `default`.',
      when: isElseRight,
    }),
  output: providerKey,
})

export const rotateKey = endpoint({
  ...{ service, permission },
  method: 'POST',
  path: '/keys/:id/rotate',
  summary:
    'Replace the secret of a provider key; with `check` only if the provider says that the new one is good',
  params,
  body: z.strictObject({ key: providerSecret, check: z.boolean().optional() }, unknownMember),
  output: providerKey,
})

export const removeKey = endpoint({
  ...{ service, permission },
  method: 'DELETE',
  path: '/keys/:id',
  summary: 'Delete a provider key. If it was the default one, its provider has none until another is made it',
  params,
  status: 204,
})

export const checkKey = endpoint({
  ...{ service, permission },
  method: 'POST',
  path: '/keys/:id/check',
  summary: 'Ask the provider whether a key is good',
  params,
  output: z.object({
    /** `unreachable`: the provider could not be asked, or said neither. */
    result: z.enum(['valid', 'refused', 'unreachable']),
    key: providerKey,
  }),
})
