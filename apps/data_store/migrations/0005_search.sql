-- The words of all texts in `data`. One tsvector holds 1 MiB: of more, those of the first texts are kept rather than none.
create function record_words(data jsonb) returns tsvector
  language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
  as $$
  begin
    return jsonb_to_tsvector('simple', data, '["string"]');
  exception when program_limit_exceeded then
    return to_tsvector('simple', left((
      select string_agg(one #>> '{}', ' ') from jsonb_path_query(data, 'strict $.** ? (@.type() == "string")') as found (one)
    ), 65536));
  end
  $$;
revoke execute on function record_words from public;
-- Whoever writes a record computes the column.
grant execute on function record_words to :"user_role";

-- Without an index of its own: @@ is not leakproof, so under row-level security it is asked of rows that the policy has let
-- through, and those are a range of the primary key.
alter table records add column words tsvector not null generated always as (record_words(data)) stored;
