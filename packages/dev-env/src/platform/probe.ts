import { readFileSync } from 'node:fs'
import { get } from 'node:https'
import { text } from 'node:stream/consumers'
import type { CertifiedFiles } from '../certs/files.ts'

/** What a strict listener wants to see of a probe, and by what the probe knows the listener. */
export interface ProbeCredentials {
  bundle: string
  own: CertifiedFiles
}

/** Asks a service how it is: over HTTPS as itself, with its own certificate, as a probe beside it would. */
export async function probe(
  url: string,
  signal: AbortSignal,
  credentials: ProbeCredentials | undefined,
): Promise<{ status: number; body: string }> {
  if (!credentials || !url.startsWith('https:')) {
    const answer = await fetch(url, { signal })
    return { status: answer.status, body: await answer.text() }
  }
  const { bundle, own } = credentials
  return new Promise((resolve, reject) => {
    get(
      url,
      {
        signal,
        agent: false,
        ca: readFileSync(bundle),
        cert: readFileSync(own.certificate),
        key: readFileSync(own.key),
      },
      (answer) => {
        text(answer).then((body) => {
          resolve({ status: answer.statusCode ?? 0, body })
        }, reject)
      },
    ).once('error', reject)
  })
}
