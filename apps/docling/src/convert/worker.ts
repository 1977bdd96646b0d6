import { ConversionError } from './conversion-error.ts'
import { convert } from './convert.ts'
import type { Job, Outcome } from './protocol.ts'

// The process that reads untrusted documents: it has no environment, writes no file, starts no process, and whoever
// started it ends it at any moment. It talks only over its channel.
process.on('message', (job: Job) => {
  void work(job).then((outcome) => process.send?.(outcome))
})
process.once('disconnect', () => process.exit())
// Ctrl-C reaches the whole group: the parent lets work under way finish and ends its workers itself.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)

async function work({ name, bytes, maxChars }: Job): Promise<Outcome> {
  try {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return { ok: true, converted: await convert(name, buffer, maxChars) }
  } catch (error) {
    if (error instanceof ConversionError) return { ok: false, failure: error.failure, message: error.message }
    return { ok: false, failure: 'crashed', message: 'cannot be read' }
  }
}
