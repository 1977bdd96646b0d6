import { Problem } from '@waybill/service-kit'

/** Whether what has thrown `error` has done nothing, for sure; after any other failure nobody knows. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Problem && (error.status < 499 || error.status === 501)
}
