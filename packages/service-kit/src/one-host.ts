import type { NextFunction, Request, Response } from 'express'
import { Problem } from './problem.ts'

/**
 * RFC 9112 section 3.2: a request with two Hosts is refused. Node reads the first; what stands before it may have gone
 * by the last.
 */
export function oneHost({ rawHeaders }: Request, _res: Response, next: NextFunction): void {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]?.toLowerCase() === 'host') hosts += 1
  if (hosts > 1) throw new Problem('bad_request', 'The request has more than one Host.')
  next()
}
