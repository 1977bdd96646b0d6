import type { Database } from '@waybill/database'
import type { UserPrincipal } from '@waybill/service-kit'
import type { Tables } from '../tables.ts'

/** How long the vectors of a user's collection are: fixed by the first record, and kept in Postgres by user. */
export interface VectorCollections {
  /** Undefined for a collection that the user has never written to. */
  dimensionsOf(principal: UserPrincipal, collection: string): Promise<number | undefined>
  /** The dimensions as they are then: `dimensions`, unless there were some before. */
  claim(principal: UserPrincipal, collection: string, dimensions: number): Promise<number>
  /** For a collection in which the user has nothing left. */
  change(principal: UserPrincipal, collection: string, dimensions: number): Promise<void>
}

export function createVectorCollections(database: Database<Tables>): VectorCollections {
  return {
    async dimensionsOf(principal, collection) {
      const row = await database.withPrincipal(
        principal,
        (tx) =>
          tx
            .selectFrom('vector_collections')
            .select('dimensions')
            .where('collection', '=', collection)
            .executeTakeFirst(),
        { readOnly: true },
      )
      return row?.dimensions
    },

    async claim(principal, collection, dimensions) {
      const row = await database.withPrincipal(principal, async (tx) => {
        await tx
          .insertInto('vector_collections')
          .values({ collection, dimensions })
          .onConflict((conflict) => conflict.columns(['owner', 'collection']).doNothing())
          .execute()
        return tx
          .selectFrom('vector_collections')
          .select('dimensions')
          .where('collection', '=', collection)
          .executeTakeFirstOrThrow()
      })
      return row.dimensions
    },

    async change(principal, collection, dimensions) {
      await database.withPrincipal(principal, (tx) =>
        tx
          .updateTable('vector_collections')
          .set({ dimensions })
          .where('collection', '=', collection)
          .execute(),
      )
    },
  }
}
