import { Problem } from '@waybill/service-kit'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js'
import type { RecordData } from '../backend.ts'
import type { Collection } from './collection.ts'

/**
 * The check that a JSON Schema (2020-12) asks for. Strict: a keyword or format that would not be heeded is an error, and so is a
 * reference to what is not in the schema itself; nothing is ever fetched.
 * @throws Error when the schema is none
 */
export function compileSchema(schema: Record<string, unknown>): Collection['validate'] {
  // One for each schema, so that no two of them can meet under one $id. Inherited members are not members.
  const ajv = new Ajv2020({ strict: true, allErrors: false, ownProperties: true, logger: false })
  const check = compiled(ajv, schema)
  if ('$async' in check) throw new Error('$async is not supported')
  return (data, name) => {
    if (check(data)) return
    const [error] = check.errors ?? []
    throw new Problem('unprocessable', `${placeOf(error, name)} ${reasonOf(error)}.`)
  }
}

function compiled(ajv: Ajv2020, schema: Record<string, unknown>): ValidateFunction {
  try {
    return ajv.compile(schema)
  } catch (error) {
    // Ajv says that it ignores the format, which it does not.
    const [, format, path] =
      /^unknown format (".*") ignored in schema at path (".*")$/.exec(
        error instanceof Error ? error.message : '',
      ) ?? []
    if (format === undefined || path === undefined) throw error
    throw new Error(`unknown format ${format} at ${path}: no formats are known here, use "pattern"`, {
      cause: error,
    })
  }
}

/** Where any object is taken. */
export function anyObject(_data: RecordData, _name: string): void {
  // nothing to find fault with
}

/** `records[3].data.tags[0]`: where the error is, as the other messages write it. */
function placeOf(error: ErrorObject | undefined, name: string): string {
  const members = (error?.instancePath ?? '').split('/').slice(1)
  const path = members.map((member) => {
    const plain = member.replaceAll('~1', '/').replaceAll('~0', '~')
    return /^\d+$/.test(plain) ? `[${plain}]` : `.${plain}`
  })
  const place = `${name}${path.join('')}`
  return place.length > 200 ? `${place.slice(0, 200)}...` : place
}

/** What the schema asks for; of the data only the name of a member is quoted. */
function reasonOf(error: ErrorObject | undefined): string {
  const params: Record<string, unknown> = error?.params ?? {}
  const { additionalProperty, unevaluatedProperty, allowedValues, allowedValue } = params
  const extra = additionalProperty ?? unevaluatedProperty
  if (typeof extra === 'string') return `must not have a member ${extra.slice(0, 64)}`
  const allowed = allowedValues ?? (allowedValue === undefined ? undefined : [allowedValue])
  const message = error?.message ?? 'is not as the schema has it'
  return allowed === undefined ? message : `${message}: ${JSON.stringify(allowed)}`
}
