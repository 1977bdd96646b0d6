import { startPlatform } from '@waybill/dev-env'

// What 20 people who log in at the same time wait, and what they cost those who are logged in already. One password hash
// is about ten milliseconds of a core, so logins queue for the cores; nobody else may have to.

const CONCURRENT_LOGINS = 20
const SECONDS = 12
const PROBE_PAUSE_MS = 20
const PASSWORD = 'correct horse battery staple'

interface Session {
  access_token: string
}

const platform = await startPlatform({ env: { ...process.env, LOG_LEVEL: 'silent' } })
try {
  const auth = platform.services['auth-service']
  const names = Array.from({ length: CONCURRENT_LOGINS }, (_, at) => `bench-${at}`)
  await Promise.all(names.map(register))
  const { access_token: token } = (await logIn(names[0] ?? '')) as Session
  const quiet = await probeUntil(Date.now() + 3_000, token)
  const until = Date.now() + SECONDS * 1000
  const [busy, ...logins] = await Promise.all([
    probeUntil(until, token),
    ...names.map((name) => repeat(until, () => logIn(name))),
  ])
  print(`logins, ${CONCURRENT_LOGINS} at a time`, logins.flat())
  print('GET /auth/me meanwhile', busy)
  print('GET /auth/me before', quiet)

  async function register(username: string): Promise<void> {
    await post(`${auth}/auth/register`, { username, email: `${username}@example.test`, password: PASSWORD })
  }
  function logIn(username: string): Promise<unknown> {
    return post(`${auth}/auth/login`, { username, password: PASSWORD })
  }
  async function probeUntil(end: number, bearer: string): Promise<number[]> {
    return repeat(
      end,
      async () => {
        const response = await fetch(`${auth}/auth/me`, { headers: { Authorization: `Bearer ${bearer}` } })
        await response.arrayBuffer()
        if (!response.ok) throw new Error(`/auth/me answered ${response.status}`)
      },
      PROBE_PAUSE_MS,
    )
  }
} finally {
  await platform.close()
}

/** Milliseconds that each turn of `work` took, until `end`. */
async function repeat(end: number, work: () => Promise<unknown>, pauseMs = 0): Promise<number[]> {
  const took: number[] = []
  while (Date.now() < end) {
    const began = performance.now()
    await work()
    took.push(performance.now() - began)
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  return took
}

async function post(url: string, body: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  return response.json()
}

function print(what: string, took: readonly number[]): void {
  const sorted = took.toSorted((a, b) => a - b)
  const at = (share: number): string =>
    (sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN).toFixed(1)
  process.stdout.write(
    `${what.padEnd(24)} ${String(took.length).padStart(5)} requests  p50 ${at(0.5)} ms  p95 ${at(0.95)} ms  p99 ${at(0.99)} ms\n`,
  )
}
