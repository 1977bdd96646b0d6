import { parseArgs } from 'node:util'
import { runDemo } from '../demo/run.ts'
import { jsonReport, table } from '../demo/report.ts'
import { portsFromEnvironment } from '../platform/platform-ports.ts'
import { startPlatform } from '../platform/start.ts'
import { aborted, stopRequest } from './stop-request.ts'

// npm run demo [-- --json] [-- --keep]: a real document through the whole platform, every hop shown and checked.
const { values } = parseArgs({ options: { json: { type: 'boolean' }, keep: { type: 'boolean' } } })
// With --json stdout holds the document alone; progress goes beside it.
const say = (text: string): void => void (values.json ? process.stderr : process.stdout).write(`${text}\n`)
const stop = stopRequest()
const recent: string[] = []

try {
  say('Starting PostgreSQL, the trace receiver and seven services ...')
  const platform = await startPlatform({
    ports: portsFromEnvironment(process.env),
    env: { LOG_LEVEL: 'warn', ...process.env },
    log: (source, line) => {
      recent.push(`[${source}] ${line}`)
      if (recent.length > 40) recent.shift()
    },
    signal: stop,
  })
  let ok = false
  try {
    const journeys = await runDemo(platform, {
      begins: (step) => {
        say(`\n${step.says}\n  by way of ${step.way.join(' > ')}`)
      },
      ended: (journey) => {
        say(table(journey))
        for (const failure of journey.failures) say(`  NOT SO: ${failure}`)
      },
    })
    const report = jsonReport(journeys)
    ;({ ok } = report)
    if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`)
    const passed = journeys.filter(({ failures }) => failures.length === 0).length
    say(
      `\n${passed} of ${journeys.length} journeys hold${ok ? '' : `. Last lines of the services:\n${recent.join('\n')}`}`,
    )
    if (values.keep) {
      say(`Follow each by its request id at ${platform.traces} (Ctrl-C ends the platform)`)
      await aborted(stop)
    } else {
      say(`Traces were at ${platform.traces}; to look around there: npm run demo -- --keep`)
    }
  } finally {
    await platform.close()
  }
  process.exit(ok ? 0 : 1)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
