import { Problem } from '@waybill/service-kit'

/**
 * The result of `work`, or Problem `timeout` with `detail` after `limitMs`. Tokens are fetched for all who wait for them, so
 * one who is out of time only stops waiting.
 */
export async function within<T>(limitMs: number, work: Promise<T>, detail: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Problem('timeout', detail))
    }, limitMs)
  })
  return Promise.race([work, limit]).finally(() => {
    clearTimeout(timer)
  })
}
