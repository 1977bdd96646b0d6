import { env } from '@waybill/service-kit'

export const protocolsEnv = {
  MAX_FRAME_BYTES: env
    .int({ min: 1024, max: 1024 ** 3, default: 16 * 1024 ** 2 })
    .describe(
      'The largest event of a stream that a provider sends, in bytes; a larger one breaks the stream off',
    ),
}
