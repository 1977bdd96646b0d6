import type { Collection } from '../../collections/collection.ts'

/**
 * The statements after collections.sql: a table for each of the collections, word to PostgREST, and an error that names what
 * is not as it should be.
 */
export function declarationSql(
  collections: readonly Pick<Collection, 'table' | 'scope'>[],
  schema: string,
): string {
  return [
    ...collections.map(
      ({ table, scope }) =>
        `select waybill.declare_collection(${[table, scope, schema].map(literal).join(', ')});`,
    ),
    "notify pgrst, 'reload schema';",
    'do $$',
    'declare',
    "  told text := (select string_agg(collection || ': ' || fault, '; ') from waybill.faults());",
    'begin',
    "  if told is not null then raise exception '%', told; end if;",
    'end $$;',
    '',
  ].join('\n')
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
