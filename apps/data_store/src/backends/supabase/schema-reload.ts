import type { Logger } from '@waybill/service-kit'
import type { AdminClient } from './admin-client.ts'

/** How soon PostgREST is asked again to read the schema, in milliseconds: a table that is not there does not come by asking. */
const AT_MOST_EVERY_MS = 10_000
/** How long PostgREST is given to read it, in milliseconds: what was refused is tried again after each. */
export const RELOAD_PAUSES_MS = [100, 300, 900] as const

export interface SchemaReload {
  /** Whether there is a point in trying again: PostgREST has been asked to read the schema, by this call or one shortly before. */
  ask(): Promise<boolean>
}

/** @param admin undefined where there is no secret key; then nothing can be asked */
export function createSchemaReload(
  admin: AdminClient | undefined,
  log: Logger,
  now = Date.now,
): SchemaReload {
  let last: { at: number; asked: Promise<boolean> } | undefined
  return {
    async ask() {
      if (!admin) return false
      if (last && now() - last.at < AT_MOST_EVERY_MS) return last.asked
      const asked = admin.reloadSchema().then(
        () => true,
        (error: unknown) => {
          log.error({ err: error }, 'Supabase could not be made to read its schema anew')
          return false
        },
      )
      last = { at: now(), asked }
      return asked
    },
  }
}
