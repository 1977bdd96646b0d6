import type { Platform } from '../platform/start.ts'
import { failed, traceFailures, traceOf } from './journey.ts'
import type { Journey } from './journey.ts'
import { newState } from './step.ts'
import type { DemoState, Step } from './step.ts'
import { STEPS } from './steps.ts'

/**
 * Sends every step of the demo through a running platform and follows each by its request id. `watch` hears of each
 * step before and after. A step that fails does not end the demo: the report shows all that does not hold.
 */
export async function runDemo(
  platform: Pick<Platform, 'services' | 'traces'>,
  watch: { begins: (step: Step) => void; ended: (journey: Journey) => void },
): Promise<Journey[]> {
  const state = newState(platform.services)
  const journeys: Journey[] = []
  const isClear = new URL(platform.services.data_store).protocol === 'http:'
  for (const step of STEPS.filter(({ needsClear }) => isClear || !needsClear)) {
    watch.begins(step)
    const answer = await step.send(state)
    const unmet = failed(step.expect(answer, state))
    const found = await traceOf(platform.traces, answer.requestId, step.way)
    const journey = {
      name: step.name,
      requestId: answer.requestId,
      traceId: found[0]?.traceId ?? '',
      hops: found[0]?.hops ?? [],
      failures: [
        ...unmet.map(
          (words) => `${words}: no, ${answer.status} ${JSON.stringify(answer.body).slice(0, 300)}`,
        ),
        ...traceFailures(found, {
          requestId: answer.requestId,
          way: step.way,
          subject: subjectOf(step, state),
        }),
      ],
    }
    watch.ended(journey)
    journeys.push(journey)
  }
  return journeys
}

function subjectOf(step: Step, state: DemoState): string | null {
  return step.as === undefined ? null : `user:${state.users[step.as].id ?? ''}`
}
