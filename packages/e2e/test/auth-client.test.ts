import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import type { Server, ServerResponse } from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { AuthClient, AuthClientError } from '@waybill/auth/client'
import type * as Module from '@waybill/auth/client'
import { chromium } from 'playwright-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { ask } from '../src/user.ts'

const { services } = inject('platform')
const CLIENT = fileURLToPath(import.meta.resolve('@waybill/auth/client'))
/** Where distributions put it; playwright-core brings none. */
const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome']
  .map((name) => `/usr/bin/${name}`)
  .find(existsSync)

interface Account {
  username: string
  password: string
}

async function newAccount(): Promise<Account> {
  const username = `client-${randomBytes(6).toString('hex')}`
  const password = randomBytes(18).toString('base64url')
  const json = { username, password, email: `${username}@example.test` }
  const { status, body } = await ask(`${services.gateway}/auth/register`, { json })
  expect(status, JSON.stringify(body)).toBe(201)
  return { username, password }
}

describe('the client in Node, with the platform', () => {
  it('logs in, renews, asks any service and logs out', async () => {
    const { username, password } = await newAccount()
    const client = new AuthClient({ baseUrl: services.gateway })
    const { access_token } = await client.login(username, password)
    await client.refresh()
    const me = await client.request('GET', '/auth/me')
    expect(await me.json()).toMatchObject({ username })
    expect((await client.request('GET', '/data/v1/backends')).status).toBe(200)
    await client.logout()
    expect((await client.request('GET', '/auth/me')).status).toBe(401)
    expect(access_token).toBeTruthy()
  })

  it('a renewal after the session has been ended elsewhere is session_over, with the request id', async () => {
    const { username, password } = await newAccount()
    const [here, elsewhere] = [1, 2].map(() => new AuthClient({ baseUrl: services.gateway })) as [
      AuthClient,
      AuthClient,
    ]
    await here.login(username, password)
    await elsewhere.login(username, password)
    expect((await elsewhere.request('DELETE', '/auth/sessions')).status).toBe(200)
    const error = await here.refresh().catch((caught: unknown) => caught as AuthClientError)
    expect(error).toBeInstanceOf(AuthClientError)
    expect(error).toMatchObject({
      code: 'session_over',
      status: 401,
      requestId: expect.stringMatching(/^[\w.-]+$/),
    })
  })
})

/** What the functions that run in the page find there. */
declare const location: { origin: string }
declare const window: { waybill: typeof Module; client: AuthClient }

const PAGE = `<!doctype html><title>client</title>
<script type="module">import * as waybill from '/client/index.ts'; Object.assign(window, { waybill })</script>`

const noBrowser = CHROMIUM === undefined ? ' SKIPPED: there is no chromium in /usr/bin' : ''

describe.skipIf(noBrowser !== '')(`the client in a browser${noBrowser}`, () => {
  let site: Server
  let browser: Browser
  let page: Page
  let account: Account
  const errors: string[] = []

  beforeAll(async () => {
    account = await newAccount()
    site = createServer((req, res) => {
      const url = new URL(req.url ?? '/', 'http://site')
      if (url.pathname === '/') res.setHeader('Content-Type', 'text/html').end(PAGE)
      else if (url.pathname.startsWith('/client/')) sendModule(url.pathname.slice('/client/'.length), res)
      else {
        // No CORS at the gateway: the page and the platform have one origin, as behind any reverse proxy.
        const onward = httpRequest(
          services.gateway + (req.url ?? ''),
          { method: req.method, headers: req.headers },
          (answer) => answer.pipe(res.writeHead(answer.statusCode ?? 502, answer.headers)),
        )
        req.pipe(onward)
      }
    })
    await new Promise<void>((listening) => site.listen(0, '127.0.0.1', listening))
    browser = await chromium.launch({
      ...(CHROMIUM !== undefined && { executablePath: CHROMIUM }),
      args: [
        ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
        ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
      ],
    })
    page = await (await browser.newContext()).newPage()
    page.on('pageerror', (error) => errors.push(error.message))
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`)
  })
  afterAll(async () => {
    await browser.close()
    await new Promise((closed) => {
      site.close(closed)
      site.closeAllConnections()
    })
  })

  /** The very files that Node runs, with their types taken off. */
  function sendModule(name: string, res: ServerResponse): void {
    const source = readFileSync(new URL(name, `file://${CLIENT}`), 'utf8')
    res.setHeader('Content-Type', 'text/javascript').end(stripTypeScriptTypes(source))
  }

  it('is the same module, unbundled, and throws no error at import', async () => {
    const names = await page.evaluate(() => Object.keys(window.waybill))
    expect(names.sort()).toEqual(['AuthClient', 'AuthClientError'])
    expect(errors).toEqual([])
  })

  it('logs in, renews once for many requests, and logs out', async () => {
    const report = await page.evaluate(async ({ username, password }) => {
      const { AuthClient } = window.waybill
      let now = Date.now()
      const client = new AuthClient({ baseUrl: location.origin, now: () => now })
      const session = await client.login(username, password)
      now += session.expires_in * 1000
      const many = await Promise.all([1, 2, 3, 4, 5].map(() => client.request('GET', '/auth/me')))
      const renewals = performance
        .getEntriesByType('resource')
        .filter(({ name }) => name.endsWith('/auth/refresh'))
      const me = (await many[0]!.json()) as { username: string }
      await client.logout()
      const after = await client.request('GET', '/auth/me')
      return {
        name: me.username,
        statuses: many.map(({ status }) => status),
        renewals: renewals.length,
        after: after.status,
      }
    }, account)
    expect(report).toEqual({
      name: account.username,
      statuses: [200, 200, 200, 200, 200],
      renewals: 1,
      after: 401,
    })
    expect(errors).toEqual([])
  })

  it('gives a typed error for a wrong password, and refuses another origin', async () => {
    const codes = await page.evaluate(async ({ username }) => {
      const { AuthClient } = window.waybill
      const client = new AuthClient({ baseUrl: location.origin })
      const codeOf = (promise: Promise<unknown>) =>
        promise.then(
          () => 'none',
          (error: unknown) => (error as AuthClientError).code,
        )
      return [
        await codeOf(client.login(username, 'wrong')),
        await codeOf(client.request('GET', 'https://evil.test/')),
      ]
    }, account)
    expect(codes).toEqual(['invalid_credentials', 'foreign_origin'])
  })

  it("two tabs that share localStorage stay logged in through each other's renewals", async () => {
    const other = await page.context().newPage()
    await other.goto(page.url())
    const start = async (account: Account | undefined) => {
      const { AuthClient } = window.waybill
      const store = {
        get: () =>
          (JSON.parse(localStorage.getItem('session') ?? 'null') ?? undefined) as Module.Tokens | undefined,
        set: (tokens: unknown) =>
          tokens
            ? localStorage.setItem('session', JSON.stringify(tokens))
            : localStorage.removeItem('session'),
      }
      const client = new AuthClient({ baseUrl: location.origin, store })
      if (account) await client.login(account.username, account.password)
      Object.assign(window, { client })
    }
    await page.evaluate(start, account)
    await other.evaluate(start, undefined)
    const renewAndAsk = async () => {
      const { client } = window
      await client.refresh()
      return (await client.request('GET', '/auth/me')).status
    }
    for (let round = 0; round < 3; round += 1) {
      expect(await Promise.all([page.evaluate(renewAndAsk), other.evaluate(renewAndAsk)])).toEqual([200, 200])
    }
    await other.close()
  })
})
