import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HAS_REDIS, startRedis } from '../../../packages/service-kit/test/redis-server.ts'
import type { RedisServer } from '../../../packages/service-kit/test/redis-server.ts'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

describe.skipIf(!HAS_REDIS)('with REDIS_URL (skipped where there is no redis-server)', () => {
  let redis: RedisServer
  let setting: Setting
  beforeAll(async () => {
    redis = await startRedis()
    setting = await startSetting({ REDIS_URL: redis.url, LOGIN_LIMIT_PER_MINUTE: '5' })
  })
  afterAll(async () => {
    await setting.close()
    await redis.close()
  })

  it('two instances allow as many attempts together as one', async () => {
    const apps = [setting.service, await setting.another()].map(({ app }) => supertest(app))
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, at) =>
        apps[at % 2]!.post('/auth/login').send({ username: 'john', password: 'wrong' }),
      ),
    )
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(5)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(5)
  })

  it('without Redis logging in goes on, and is limited all the same', async () => {
    const http = supertest((await setting.another()).app)
    await redis.kill()
    const statuses: number[] = []
    for (let tried = 0; tried < 6; tried += 1)
      statuses.push((await http.post('/auth/login').send({ username: 'jane', password: 'wrong' })).status)
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429])
  })
})
