import { openDatabase } from '@waybill/database'
import { createLogger, Secret } from '@waybill/service-kit'

// A process of its own for migrations.test.ts.
const database = openDatabase({
  config: {
    DATABASE_URL: new Secret(process.env.URL!),
    DATABASE_MIGRATION_URL: new Secret(process.env.MIGRATION_URL!),
    DATABASE_USER_ROLE: '',
    DATABASE_POOL_SIZE: 2,
    DATABASE_CONNECT_TIMEOUT_MS: 5_000,
    DATABASE_STATEMENT_TIMEOUT_MS: 5_000,
    DATABASE_LOCK_TIMEOUT_MS: 5_000,
  },
  migrations: new URL(process.env.MIGRATIONS!),
  log: createLogger({ service: 'starter', level: 'silent' }),
})
await database.start()
await database.close()
process.stdout.write('started\n')
