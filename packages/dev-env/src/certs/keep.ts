import { openCertificates } from './certificates.ts'
import type { CertificateFiles } from './files.ts'

/** A platform that runs for days outlives the certificates that it began with. */
const LOOK_MS = 3_600_000

/** Makes the certificates of a folder, and renews them in time until `close`. */
export async function keepCertificates(
  folder: string,
): Promise<{ files: CertificateFiles; close: () => Promise<void> }> {
  const certificates = openCertificates({ folder })
  await certificates.ensure()
  let looking: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    // A full disk today is no reason to end; the next look may succeed, and certificates are good for hours yet.
    looking = certificates.ensure().catch(() => undefined)
  }, LOOK_MS)
  timer.unref()
  return {
    files: certificates.files,
    close: async () => {
      clearInterval(timer)
      await looking
    },
  }
}
