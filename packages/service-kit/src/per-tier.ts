import { authService } from '@waybill/contracts'
import type { z } from 'zod'
import { env } from './config.ts'

/** A number for each tier. */
export type PerTier = Readonly<Record<authService.Tier, number>>

const FORM = new RegExp(`^(${authService.TIERS.join('|')})\\s*=\\s*([1-9]\\d{0,8})$`)

/** A variable such as `free=60,standard=600,premium=6000`; a tier that is left out keeps its default. */
export function perTier(defaults: PerTier) {
  const text = Object.entries(defaults).map(([tier, limit]) => `${tier}=${limit}`)
  return env
    .list(text)
    .refine((entries) => entries.every((entry) => FORM.test(entry)), {
      error: `must be numbers by tier, such as ${text.join(',')}`,
    })
    .transform((entries): PerTier => ({
      ...defaults,
      ...Object.fromEntries(entries.map(pair)),
    })) satisfies z.ZodType
}

function pair(entry: string): [string, number] {
  const [, tier = '', limit] = FORM.exec(entry) ?? []
  return [tier, Number(limit)]
}
