import { isUtf8 } from 'node:buffer'
import express from 'express'
import type { Request, Response } from 'express'
import { refuseInexactIntegers } from './exact-integers.ts'
import { Problem } from './problem.ts'
import type { Route } from './route.ts'

const JSON_TYPES = ['application/json', 'application/*+json']

/**
 * A reader for the bodies of `route`: parses JSON within `limitBytes`, or leaves the stream alone. The declared length
 * is judged first, so that an oversize upload is refused before it is read.
 * @throws Problem payload_too_large, unsupported_media_type, invalid_json; unprocessable by refuseInexactIntegers
 */
export function bodyReader(
  route: Route,
  limitBytes: number,
): (req: Request, res: Response) => Promise<unknown> {
  const bodyType = bodyTypeOf(route)
  const received = new WeakMap<object, { bytes: Buffer; charset: string }>()
  const verify = (req: object, _res: unknown, bytes: Buffer, charset: string) => {
    received.set(req, { bytes, charset })
  }
  const parse = express.json({
    limit: limitBytes,
    type: JSON_TYPES,
    strict: false,
    ...(route.exactIntegers === true && { verify }),
  })
  return async (req, res) => {
    if (bodyType === undefined) return undefined
    refuseOversize(req, limitBytes)
    if (bodyType !== 'json') return undefined
    if (hasBody(req) && !req.is(JSON_TYPES)) {
      throw new Problem('unsupported_media_type', 'This route takes a body of type application/json.')
    }
    await new Promise<void>((resolve, reject) => {
      refuseGrowingOversize(req, limitBytes, reject)
      parse(req, res, (error?: unknown) => {
        if (error === undefined || error === null) resolve()
        else
          reject(error instanceof Error ? error : new Error('the body could not be read', { cause: error }))
      })
    })
    const whole = received.get(req)
    if (whole) {
      if (whole.charset !== 'utf-8') {
        throw new Problem('unsupported_media_type', 'This route takes JSON in UTF-8 (RFC 8259 section 8.1).')
      }
      // Each byte that is none would have become U+FFFD, which is not what was sent.
      if (!isUtf8(whole.bytes)) throw new Problem('invalid_json', 'The body is not valid UTF-8.')
      refuseInexactIntegers(whole.bytes)
    }
    const body: unknown = req.body
    return body
  }
}

/** How the body of a route arrives; undefined for one that reads none. */
export function bodyTypeOf({ bodyType, input }: Route): Route['bodyType'] {
  return bodyType ?? (input.body ? 'json' : undefined)
}

function refuseOversize(req: Request, limitBytes: number): void {
  if (Number(req.headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes)
}

/** body-parser would read an oversize body to its end, if it has one, before it says anything. */
function refuseGrowingOversize(req: Request, limitBytes: number, refuse: (problem: Problem) => void): void {
  let bytes = 0
  req.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > limitBytes) refuse(tooLarge(limitBytes))
  })
}

function tooLarge(limitBytes: number): Problem {
  return new Problem(
    'payload_too_large',
    `The body is larger than the ${String(limitBytes)} bytes that this route accepts.`,
  )
}

function hasBody(req: Request): boolean {
  return req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0
}
