import { FatalStartError, loadConfig, Secret } from '@waybill/service-kit'
import { databaseEnv } from '@waybill/database'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting()
})
afterAll(() => setting.close())

describe('configuration', () => {
  test.each([
    'not a url',
    'https://alice:hunter22@host/db',
    'postgresql://host/db',
    'postgresql://a:hunter22@[::bad/db',
  ])('a URL that is none names the variable and not the value: %s', (url) => {
    const open = () => setting.open({ DATABASE_URL: new Secret(url) })
    expect(open).toThrow('DATABASE_URL must look like postgresql://role:password@host:5432/database.')
    expect(open).not.toThrow(/hunter22/)
  })

  test('a wrong password is final and is not shown', async () => {
    const url = new URL(setting.databaseUrl)
    url.password = 'hunter22'
    const start = setting.open({ DATABASE_URL: new Secret(url.href) }).start()
    await expect(start).rejects.toThrow(FatalStartError)
    await expect(start).rejects.toThrow('password authentication failed for user "notes"')
    await expect(start).rejects.not.toThrow(/hunter22/)
  })

  test('the environment alone makes a usable configuration', () => {
    const config = loadConfig(z.object(databaseEnv), {
      DATABASE_URL: setting.databaseUrl,
      DATABASE_MIGRATION_URL: '',
    })
    expect(config).toMatchObject({ DATABASE_POOL_SIZE: 10, DATABASE_USER_ROLE: '' })
    expect(config.DATABASE_MIGRATION_URL).toBeUndefined()
    expect(JSON.stringify(config)).not.toContain(new URL(setting.databaseUrl).password)
  })
})
