import { FatalStartError } from '@waybill/service-kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSetting, user } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting()
  await setting.open().start()
})
afterAll(() => setting.close())

const cases = [
  {
    rule: 'a superuser',
    make: 'alter role notes superuser',
    undo: 'alter role notes nosuperuser',
    message: 'The database login role "notes" is a superuser.',
  },
  {
    rule: 'BYPASSRLS',
    make: 'alter role notes bypassrls',
    undo: 'alter role notes nobypassrls',
    message: 'The database login role "notes" has BYPASSRLS.',
  },
  {
    rule: 'the owner of a table',
    make: 'alter table notes owner to notes',
    undo: 'alter table notes owner to notes_owner',
    message: 'The database login role "notes" owns the table notes.',
  },
  {
    rule: 'a member of the owner',
    make: 'grant notes_owner to notes with inherit false, set true',
    undo: 'revoke notes_owner from notes',
    message: /The role "notes_owner", which the database login role is a member of, owns the table \w+\./,
  },
  {
    rule: 'an indirect member of a role with BYPASSRLS',
    make: 'create role backup bypassrls; create role ops; grant backup to ops; grant ops to notes with set true',
    undo: 'drop role backup, ops',
    message: 'The role "backup", which the database login role is a member of, has BYPASSRLS.',
  },
  {
    rule: 'one whose user role has BYPASSRLS',
    make: 'alter role notes_user bypassrls',
    undo: 'alter role notes_user nobypassrls',
    message: 'The role "notes_user", which requests run as, has BYPASSRLS.',
  },
  {
    rule: 'one without the user role',
    make: 'revoke notes_user from notes',
    undo: 'grant notes_user to notes with inherit false, set true',
    message:
      'The role "notes_user", which requests run as, does not exist or is not granted: GRANT "notes_user" TO "notes".',
  },
]

describe('a service refuses to start as', () => {
  test.each(cases)('$rule', async ({ make, undo, message }) => {
    await setting.admin(make)
    const database = setting.open()
    const start = database.start()
    await expect(start).rejects.toThrow(FatalStartError)
    await expect(start).rejects.toThrow(message)
    await expect(database.withPrincipal(user('alice'), () => Promise.resolve())).rejects.toMatchObject({
      code: 'unavailable',
    })
    await setting.admin(undo)
    await setting.open().start()
  })
})
