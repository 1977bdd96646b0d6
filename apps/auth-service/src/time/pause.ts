/** Resolves after `ms`, when `signal` aborts, or when its end is called, which is in `ends` for as long as that takes. */
export async function pause(ms: number, signal: AbortSignal, ends?: Set<() => void>): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(end, ms)
    function end(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      ends?.delete(end)
      resolve()
    }
    signal.addEventListener('abort', end, { once: true })
    ends?.add(end)
  })
}
