/** Error codes of FileMaker that the emulator knows, with Claris' words for them. */
const MESSAGES = {
  '0': 'OK',
  '101': 'Record is missing',
  '102': 'Field is missing',
  '105': 'Layout is missing',
  '212': 'Invalid user account and/or password; please try again',
  '301': 'Record is in use by another user',
  '306': 'Record modification ID does not match',
  '400': 'Find criteria are empty',
  '401': 'No records match the request',
  '502': 'Number value does not meet validation entry options',
  '504': 'Value in field is not unique, as required in validation entry options',
  '509': 'Field requires a valid value',
  '511': 'Value in field exceeds maximum field size',
  '802': 'Unable to open file',
  '812': "Exceeds host's capacity",
  '952': 'Invalid FileMaker Data API token (*)',
  '958': 'Parameter missing',
  '960': 'Parameter is invalid',
  '1630': 'URL format is incorrect',
} as const

export type FileMakerCode = keyof typeof MESSAGES

/** What the Data API cannot do. Its HTTP status is 500 for whatever FileMaker itself refuses. */
export class FileMakerError extends Error {
  readonly code: FileMakerCode
  readonly status: number

  constructor(code: FileMakerCode, status = 500) {
    super(MESSAGES[code])
    this.name = 'FileMakerError'
    this.code = code
    this.status = status
  }
}

/** The body of every answer. */
export function envelope(response: object, code: FileMakerCode = '0'): string {
  return JSON.stringify({ response, messages: [{ code, message: MESSAGES[code] }] })
}
