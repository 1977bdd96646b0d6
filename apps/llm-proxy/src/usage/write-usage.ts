import type { Database } from '@waybill/database'
import { sql } from 'kysely'
import type { Tables } from '../tables.ts'
import type { UsageRecord } from './ledger.ts'

/** Writes the records with one statement; one that is there already stays as it is. @throws what `withoutPrincipal` throws */
export async function writeUsage(database: Database<Tables>, records: readonly UsageRecord[]): Promise<void> {
  await database.withoutPrincipal((tx) =>
    sql`
      insert into usage (id, at, day, user_id, api_key_id, provider, model, key_id, operation, stream, result,
        input_tokens, output_tokens, cached_tokens, estimated, cost_micros, currency, request_id, counted_by)
      select id, to_timestamp(at / 1000.0), day, user_id, api_key_id, provider, model, key_id, operation, stream, result,
        input_tokens, output_tokens, cached_tokens, estimated, cost_micros, currency, request_id, counted_by
      from jsonb_to_recordset(${JSON.stringify(records)}::jsonb) as r (
        id uuid, at bigint, day date, user_id text, api_key_id text, provider text, model text, key_id text,
        operation text, stream boolean, result text, input_tokens bigint, output_tokens bigint, cached_tokens bigint,
        estimated boolean, cost_micros bigint, currency text, request_id text, counted_by uuid)
      on conflict (id) do nothing`.execute(tx),
  )
}

/** Postgres has no NUL and no half of a surrogate pair in its texts; names of models are what clients and providers say. */
export function storable(text: string): string {
  // Cut first: the cut may go through a pair.
  return text.slice(0, LONGEST_NAME).toWellFormed().replaceAll('\0', '\ufffd')
}

const LONGEST_NAME = 256
