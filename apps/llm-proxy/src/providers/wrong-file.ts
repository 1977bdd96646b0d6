import { ConfigError } from '@waybill/service-kit'

/** What is wrong in PROVIDERS_FILE, each as its path and, last, what to say of it. */
export function wrongFile(faults: readonly (readonly string[])[], cause?: unknown): ConfigError {
  const error = new ConfigError(
    faults.map((fault) => ({
      variable: 'PROVIDERS_FILE',
      message: [fault.slice(0, -1).join('.'), fault.at(-1)].filter(Boolean).join(': '),
    })),
  )
  error.cause = cause
  return error
}
