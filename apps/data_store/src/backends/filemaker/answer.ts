import { Problem } from '@waybill/service-kit'
import { z } from 'zod'
import { FileMakerFault } from './fault.ts'

/** Ids and codes are texts; old servers have numbers in some places. */
const numeral = z.union([z.string().regex(/^\d+$/), z.int().nonnegative().transform(String)])

const envelope = z.object({
  response: z.unknown(),
  messages: z.array(z.object({ code: numeral })).min(1),
})

export const loggedIn = z.object({ token: z.string().min(1) })
export const created = z.object({ recordId: numeral, modId: numeral })
export const edited = z.object({ modId: numeral })
export const nothing = z.unknown()

const keptRecord = z.object({
  fieldData: z.record(z.string(), z.unknown()),
  recordId: numeral,
  modId: numeral,
})
/** A record as FileMaker keeps it, with its own id and modification id. */
export type FileMakerRecord = z.output<typeof keptRecord>

export const found = z.object({ data: z.array(keptRecord) })

/**
 * The response in the body of an answer. What FileMaker thinks of the call stands in its code: the HTTP status is not asked.
 * @throws FileMakerFault for a code other than 0, Problem `upstream_failed` for what is no answer of the Data API
 */
export function readAnswer<S extends z.ZodType>(body: unknown, schema: S): z.output<S> {
  const answer = envelope.safeParse(body)
  const code = answer.data?.messages[0]?.code
  if (code === undefined) throw unreadable()
  if (Number(code) !== 0) throw new FileMakerFault(Number(code))
  const response = schema.safeParse(answer.data?.response)
  if (!response.success) throw unreadable()
  return response.data
}

function unreadable(): Problem {
  return new Problem(
    'upstream_failed',
    'FileMaker answered with something that is no answer of its Data API.',
  )
}
