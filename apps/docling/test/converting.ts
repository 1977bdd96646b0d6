import { ConversionError } from '../src/convert/conversion-error.ts'
import { convert } from '../src/convert/convert.ts'
import type { Converted } from '../src/convert/convert.ts'

const PLENTY = 50_000_000

/** Converts in this process, as a worker would. */
export function convertText(name: string, content: Buffer | string, maxChars = PLENTY): Promise<Converted> {
  return convert(name, Buffer.from(content), maxChars)
}

export async function markdownOf(name: string, content: Buffer | string): Promise<string> {
  return (await convertText(name, content)).markdown
}

export async function textOf(name: string, content: Buffer | string): Promise<string> {
  return (await convertText(name, content)).text
}

/** @returns why a conversion failed, or `read` if it did not. */
export async function failureOf(converted: Promise<Converted>): Promise<string> {
  try {
    await converted
    return 'read'
  } catch (error) {
    if (error instanceof ConversionError) return error.failure
    throw error
  }
}
