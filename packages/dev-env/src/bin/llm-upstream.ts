import { parseArgs } from 'node:util'
import { startPlatformLlmUpstream } from '../llm-upstream/platform-llm-upstream.ts'
import { portFrom } from '../services.ts'
import { aborted, stopRequest } from './stop-request.ts'

/** Where it is unless LLM_UPSTREAM_PORT says otherwise; the same as in `npm run dev`. */
const PORT = 54_332

const HINT = `Keys that begin with sk- are good, those that begin with sk-invalid are not. The name of the model orders faults
(err-429, stall-5, reset-5 ...): the table is in packages/dev-env/src/llm-upstream/README.md.`

const USAGE = `npm run llm-upstream stands in for the vendors of language models, OpenAI, Anthropic and Gemini, on 127.0.0.1 at
LLM_UPSTREAM_PORT (${PORT} unless set), until SIGTERM or SIGINT.

${HINT}`

// npm run llm-upstream [-- --help]: the mock upstream by itself. stdout holds its URL only.
try {
  const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } })
  if (values.help) {
    process.stdout.write(`${USAGE}\n`)
    process.exit(0)
  }
  const stop = stopRequest()
  const upstream = await startPlatformLlmUpstream(portFrom(process.env, 'LLM_UPSTREAM_PORT') ?? PORT)
  process.stdout.write(`${upstream.url}\n`)
  process.stderr.write(`${HINT}\n`)
  await aborted(stop)
  await upstream.close()
  process.exit(0)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
