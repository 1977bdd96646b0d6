import { startPlatformLlmUpstream } from '../llm-upstream/platform-llm-upstream.ts'
import { portFrom } from '../services.ts'
import { aborted, stopRequest } from './stop-request.ts'

/** Where it is unless LLM_UPSTREAM_PORT says otherwise; the same as in `npm run dev`. */
const PORT = 54_332

// npm run llm-upstream: the mock upstream by itself, until SIGTERM or SIGINT. stdout holds its URL.
try {
  const stop = stopRequest()
  const upstream = await startPlatformLlmUpstream(portFrom(process.env, 'LLM_UPSTREAM_PORT') ?? PORT)
  process.stdout.write(`${upstream.url}\n`)
  await aborted(stop)
  await upstream.close()
  process.exit(0)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
