/** Why a document was not converted. The codes travel over the process boundary, so they are plain strings. */
export type ConversionFailure =
  | 'empty' // no bytes, or no text in them
  | 'unsupported_format' // recognised, or not recognisable, and not ours to read
  | 'format_mismatch' // the name says one thing, the bytes another
  | 'encrypted'
  | 'broken'
  | 'too_large' // small on the wire, more than the limits once unpacked
  | 'timeout'
  | 'out_of_memory'
  | 'crashed'

/** Thrown by converters where they know what is wrong. The message ends up in front of a user: no paths, no stacks. */
export class ConversionError extends Error {
  readonly failure: ConversionFailure

  constructor(failure: ConversionFailure, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ConversionError'
    this.failure = failure
  }
}
