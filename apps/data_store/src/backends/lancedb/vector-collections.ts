import type { Database, Transaction, TransactionOptions } from '@waybill/database'
import type { Operation } from '../../backend.ts'
import { nothingDone } from '../../refusal.ts'
import type { Tables } from '../../tables.ts'

type Place = Pick<Operation, 'principal' | 'collection' | 'owner'>

/**
 * How long the vectors of an owner's collection are, 0 when they have none: fixed by the first record, and kept in Postgres
 * by owner, so that nobody can fix it for others.
 */
export interface VectorCollections {
  /** Undefined for a collection that the owner has never written to. */
  dimensionsOf(place: Place): Promise<number | undefined>
  /** The dimensions as they are then: `dimensions`, unless there were some before. */
  claim(place: Place, dimensions: number): Promise<number>
  /** For a collection in which the owner has nothing left. */
  change(place: Place, dimensions: number): Promise<void>
}

export function createVectorCollections(database: Database<Tables>): VectorCollections {
  const run = <T>(
    place: Place,
    work: (tx: Transaction<Tables>) => Promise<T>,
    more: TransactionOptions = {},
  ) =>
    database
      .withPrincipal(place.principal, work, { ...more, scope: place.collection.scope })
      .catch((error: unknown) => {
        // It comes before every write to LanceDB, and by itself changes no record.
        throw nothingDone(error)
      })

  return {
    async dimensionsOf(place) {
      const row = await run(
        place,
        (tx) =>
          tx
            .selectFrom('vector_collections')
            .select('dimensions')
            .where((where) => where.and(keyOf(place)))
            .executeTakeFirst(),
        { readOnly: true },
      )
      return row?.dimensions
    },

    async claim(place, dimensions) {
      const claimed = async (tx: Transaction<Tables>) => {
        await tx
          .insertInto('vector_collections')
          .values({ ...keyOf(place), dimensions })
          .onConflict((conflict) => conflict.columns(['scope', 'owner', 'collection']).doNothing())
          .execute()
        return tx
          .selectFrom('vector_collections')
          .select('dimensions')
          .where((where) => where.and(keyOf(place)))
          .executeTakeFirstOrThrow()
      }
      const row = await run(place, claimed)
      return row.dimensions
    },

    async change(place, dimensions) {
      await run(place, (tx) =>
        tx
          .updateTable('vector_collections')
          .set({ dimensions })
          .where((where) => where.and(keyOf(place)))
          .execute(),
      )
    },
  }
}

/** The policies compare scope and owner with the transaction's claims besides. */
function keyOf({ collection, owner }: Place) {
  return { scope: collection.scope, owner, collection: collection.name }
}
