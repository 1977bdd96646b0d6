import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { DELEGATION } from '@waybill/auth'
import { recordAudit } from '@waybill/database'
import type { Database, Transaction } from '@waybill/database'
import { Problem, Secret } from '@waybill/service-kit'
import type { ClientHashes } from '../config-values.ts'
import {
  disableClient,
  insertClient,
  insertSecret,
  listClients,
  listSecrets,
  lockClient,
  revokeSecret,
} from '../store/service-clients.ts'
import type { LiveSecret } from '../store/service-clients.ts'
import type { Schema } from '../store/schema.ts'

type Tx = Transaction<Schema>

export interface RegisteredClient {
  name: string
  /** It stands in SERVICE_CLIENTS and cannot be changed here. */
  configured: boolean
  disabledAt: Date | null
  /** The services that it may call. */
  audiences: string[]
  secrets: LiveSecret[]
}

/** The only time that a secret is seen. */
export interface NewSecret extends LiveSecret {
  secret: Secret
}

/** What administrators do with service clients; each change stands in the audit. */
export interface ClientRegistry {
  list(): Promise<RegisteredClient[]>
  /** @throws Problem conflict when the name is taken */
  create(name: string, expiresInDays: number | undefined): Promise<NewSecret>
  /** @throws Problem conflict when there are two already, not_found */
  addSecret(name: string, expiresInDays: number | undefined): Promise<NewSecret>
  /** @throws Problem not_found */
  revokeSecret(name: string, id: string): Promise<void>
  /** It gets no tokens any more. @throws Problem not_found */
  disable(name: string): Promise<void>
}

/** One that is used, and one that replaces it. */
const MAX_SECRETS = 2
const SECRET_BYTES = 32

export function createClientRegistry(configured: ClientHashes, database: Database<Schema>): ClientRegistry {
  const change = <T>(name: string, work: (tx: Tx) => Promise<T>): Promise<T> => {
    if (configured.has(name)) {
      throw new Problem('conflict', `${name} stands in SERVICE_CLIENTS and is changed there.`)
    }
    return database.withoutPrincipal(work)
  }

  return {
    async list() {
      const [clients, secrets] = await database.withoutPrincipal(
        async (tx) => [await listClients(tx), await listSecrets(tx)],
        { readOnly: true },
      )
      const own = [...configured.keys()].map((name) => ({ name, configured: true, disabledAt: null }))
      const others = clients
        .filter(({ name }) => !configured.has(name))
        .map((client) => ({ ...client, configured: false }))
      return [...own, ...others].map((client) => ({
        ...client,
        audiences: audiencesOf(client.name),
        secrets: secrets.filter((secret) => !client.configured && secret.client === client.name),
      }))
    },

    create: async (name, expiresInDays) =>
      change(name, async (tx) => {
        if (!(await insertClient(tx, name))) {
          throw new Problem('conflict', `A service client ${name} is registered already.`)
        }
        const made = await makeSecret(tx, name, expiresInDays)
        await audit(tx, 'service_client.create', name, { secret: made.id })
        return made
      }),

    addSecret: async (name, expiresInDays) =>
      change(name, async (tx) => {
        const client = await existing(tx, name)
        if (client.disabledAt) throw new Problem('conflict', `The service client ${name} is disabled.`)
        if ((await listSecrets(tx, name)).length >= MAX_SECRETS) {
          throw new Problem('conflict', `${name} has ${MAX_SECRETS} secrets already: revoke one first.`)
        }
        const made = await makeSecret(tx, name, expiresInDays)
        await audit(tx, 'service_client.add_secret', name, { secret: made.id })
        return made
      }),

    revokeSecret: async (name, id) =>
      change(name, async (tx) => {
        await existing(tx, name)
        if (!(await revokeSecret(tx, name, id))) {
          throw new Problem('not_found', `${name} has no live secret of that id.`)
        }
        await audit(tx, 'service_client.revoke_secret', name, { secret: id })
      }),

    disable: async (name) =>
      change(name, async (tx) => {
        const client = await existing(tx, name)
        if (client.disabledAt) return
        await disableClient(tx, name)
        await audit(tx, 'service_client.disable', name)
      }),
  }
}

async function existing(tx: Tx, name: string): Promise<{ disabledAt: Date | null }> {
  const client = await lockClient(tx, name)
  if (!client) throw new Problem('not_found', `There is no service client ${name}.`)
  return client
}

async function makeSecret(tx: Tx, client: string, expiresInDays: number | undefined): Promise<NewSecret> {
  const secret = randomBytes(SECRET_BYTES).toString('base64url')
  const hash = createHash('sha256').update(secret).digest()
  const stored = await insertSecret(tx, { id: randomUUID(), client, hash, expiresInDays })
  return { ...stored, secret: new Secret(secret) }
}

function audit(tx: Tx, action: string, name: string, details: Record<string, string> = {}): Promise<void> {
  return recordAudit(tx, { action, resource: `service_client/${name}`, outcome: 'success', details })
}

function audiencesOf(name: string): string[] {
  return Object.keys((Object.hasOwn(DELEGATION, name) ? DELEGATION[name] : undefined)?.audiences ?? {})
}
