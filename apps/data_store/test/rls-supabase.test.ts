import { lintRowSecurity } from '@waybill/database'
import { postgrestBinary, startTestSupabase } from '@waybill/dev-env'
import pg from 'pg'
import { expect, test } from 'vitest'

/** What a Supabase project is by nature, and one table that no request can reach. */
const EXCEPTIONS = {
  'set-config PUBLIC':
    'PostgREST sets the claims by it; what a request calls is the functions of the API only',
  'powerful-role service_role': 'the role of the secret key, which is never sent on a call of a user',
  'rls-disabled waybill.collections':
    'its schema is not exposed, and no role of the API has a privilege on it',
}

test.skipIf(postgrestBinary() === undefined)(
  'the lint of row-level security finds nothing in the tables of a Supabase project',
  async () => {
    const supabase = await startTestSupabase({
      collections: (['user', 'tenant', 'workspace'] as const).map((scope) => ({
        table: `${scope}_notes`,
        scope,
      })),
    })
    const client = new pg.Client({ connectionString: supabase.adminUrl })
    try {
      await client.connect()
      const lint = (exceptions: Record<string, string>) =>
        lintRowSecurity(client, { loginRole: 'authenticator', userRole: 'authenticated', exceptions })
      expect(await lint(EXCEPTIONS)).toEqual([])
      await client.query('alter table tenant_notes no force row level security')
      expect(await lint(EXCEPTIONS)).toMatchObject([
        { rule: 'rls-not-forced', object: 'public.tenant_notes' },
      ])
    } finally {
      await client.end()
      await supabase.close()
    }
  },
  30_000,
)
