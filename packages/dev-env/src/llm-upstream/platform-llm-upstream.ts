import { portIsFree, PortTakenError } from '../ports.ts'
import { startLlmUpstream } from './upstream.ts'
import type { LlmUpstream } from './upstream.ts'

/** It runs for days on a developer's machine, and keeps no more than somebody may want to look at. */
const KEEP = 1_000

/** The platform's mock upstream. Throws PortTakenError when `port` is taken. */
export async function startPlatformLlmUpstream(port: number | undefined): Promise<LlmUpstream> {
  if (port !== undefined && !(await portIsFree(port))) {
    throw new PortTakenError(port, 'the mock upstream of language models', 'LLM_UPSTREAM_PORT')
  }
  return startLlmUpstream({ keep: KEEP, ...(port === undefined ? {} : { port }) })
}
