import { readFileSync } from 'node:fs'

const ORPHAN_CHECK_MS = 500

/**
 * Aborted when this process is asked to end: by SIGINT, SIGTERM or SIGHUP, or because the npm that started it has
 * gone without passing its signal on (a shell between the two may swallow it). A second request ends it at once.
 */
export function stopRequest(): AbortSignal {
  const requested = new AbortController()
  const stop = () => {
    // Those who watch over the other processes (see guardProcess) finish the work.
    if (requested.signal.aborted) process.exit(1)
    requested.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  const starters = ancestors()
  const check = setInterval(() => {
    if (ancestors() === starters) return
    clearInterval(check)
    stop()
  }, ORPHAN_CHECK_MS)
  if (process.env.npm_lifecycle_event === undefined) clearInterval(check)
  check.unref()
  return requested.signal
}

/** Parent and grandparent: npm starts a shell, which starts this. Where there is no /proc, the parent only. */
function ancestors(): string {
  try {
    const afterName = readFileSync(`/proc/${process.ppid}/stat`, 'utf8').split(') ').at(-1) ?? ''
    return `${process.ppid} ${afterName.split(' ')[1] ?? ''}`
  } catch {
    return String(process.ppid)
  }
}

/** Resolves when the signal is aborted. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true })
  })
}
