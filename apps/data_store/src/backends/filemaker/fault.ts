import { Problem } from '@waybill/service-kit'
import type { ProblemCode } from '@waybill/service-kit'

/** A call that FileMaker answered with an error, as a Problem for whoever asked. It quotes nothing of call or answer but the code. */
export class FileMakerFault extends Problem {
  /** FileMaker's error code: `messages[0].code`. */
  readonly fileMakerCode: number

  constructor(fileMakerCode: number) {
    const [code, detail] = meaningOf(fileMakerCode)
    super(code, detail, code === 'unavailable' ? { headers: { 'Retry-After': '1' } } : {})
    this.name = 'FileMakerFault'
    this.fileMakerCode = fileMakerCode
  }
}

/** The codes that this backend acts upon. */
export const CODE = {
  recordMissing: 101,
  inUse: 301,
  changed: 306,
  noMatch: 401,
  wrongAccount: 212,
  badToken: 952,
} as const

const MEANINGS = new Map<number, [ProblemCode, string]>([
  [CODE.recordMissing, ['not_found', 'FileMaker has no such record any more.']],
  [CODE.inUse, ['unavailable', 'Somebody is editing the record in FileMaker at the moment.']],
  [CODE.changed, ['unavailable', 'Others are changing the record in FileMaker at the moment.']],
  [CODE.wrongAccount, ['upstream_failed', 'FileMaker refuses the account of this service.']],
  [CODE.badToken, ['upstream_failed', 'FileMaker does not keep the session of this service.']],
  [802, ['unavailable', 'The file in FileMaker is not open at the moment.']],
  [812, ['unavailable', 'FileMaker has as many guests as it can at the moment.']],
])

function meaningOf(code: number): [ProblemCode, string] {
  const known = MEANINGS.get(code)
  if (known) return known
  // Validation of fields: dates, numbers, ranges, uniqueness, calculations, lengths.
  if (code >= 500 && code <= 511) {
    return ['unprocessable', `A field in FileMaker does not take this (error ${String(code)}).`]
  }
  return ['upstream_failed', `FileMaker could not do what was asked (error ${String(code)}).`]
}

export function hasCode(error: unknown, ...codes: number[]): boolean {
  return error instanceof FileMakerFault && codes.includes(error.fileMakerCode)
}
