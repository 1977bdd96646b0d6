/** Where a member of a JSON object stands, in bytes. */
export interface Member {
  name: string
  /** Of the quotation mark that begins the name. */
  start: number
  valueStart: number
  /** Behind the value's last byte. */
  valueEnd: number
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a

/**
 * The members of the JSON object that begins at `from`, in the order in which they stand, repeated ones too. Nothing is
 * decoded but their names, nothing is built, and depth costs nothing: one pass over the bytes. Undefined when there is no
 * object; whoever needs to know that all of it is valid JSON asks JSON.parse.
 */
export function membersOf(json: Buffer, from = 0): Member[] | undefined {
  const members: Member[] = []
  let at = skipSpace(json, from)
  if (json[at] !== 0x7b) return undefined
  at = skipSpace(json, at + 1)
  if (json[at] === 0x7d) return members
  for (;;) {
    const start = at
    if (json[at] !== QUOTE) return undefined
    const nameEnd = endOfString(json, at)
    at = skipSpace(json, nameEnd)
    if (json[at] !== COLON) return undefined
    const valueStart = skipSpace(json, at + 1)
    const valueEnd = endOfValue(json, valueStart)
    if (valueEnd === valueStart) return undefined
    members.push({ name: nameAt(json, start, nameEnd), start, valueStart, valueEnd })
    at = skipSpace(json, valueEnd)
    if (json[at] === 0x7d) return members
    if (json[at] !== 0x2c) return undefined
    at = skipSpace(json, at + 1)
  }
}

/** The names of the members within a value, down to those of `depth` objects in one another; repeated ones too. */
export function* namesWithin(
  json: Buffer,
  { valueStart, valueEnd }: Pick<Member, 'valueStart' | 'valueEnd'>,
  depth: number,
): Generator<string> {
  let objects = 0
  let at = valueStart
  while (at < valueEnd) {
    const byte = json[at]
    if (byte === QUOTE) {
      const end = endOfString(json, at)
      if (objects <= depth && json[skipSpace(json, end)] === COLON) yield nameAt(json, at, end)
      at = end
      continue
    }
    if (byte === 0x7b) objects++
    else if (byte === 0x7d) objects--
    at++
  }
}

/** A piece of the bytes that is put in the place of another. */
export interface Splice {
  start: number
  end: number
  text: string
}

/** `bytes` with each piece in its place; all other bytes stay. The splices may not overlap. */
export function spliced(bytes: Buffer, splices: readonly Splice[]): Buffer {
  if (splices.length === 0) return bytes
  const pieces: Buffer[] = []
  let at = 0
  for (const { start, end, text } of splices.toSorted((left, right) => left.start - right.start)) {
    pieces.push(bytes.subarray(at, start), Buffer.from(text))
    at = end
  }
  pieces.push(bytes.subarray(at))
  return Buffer.concat(pieces)
}

function skipSpace(json: Buffer, from: number): number {
  let at = from
  for (;;) {
    const byte = json[at]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at
    at++
  }
}

/** Behind the string whose opening mark is at `from`; the end of the bytes when it has no end. */
export function endOfString(json: Buffer, from: number): number {
  let at = from + 1
  for (;;) {
    const quote = json.indexOf(QUOTE, at)
    if (quote === -1) return json.length
    // Each run of backslashes is counted for the one mark behind it, so that all of them cost one pass.
    let escapes = 0
    while (json[quote - 1 - escapes] === BACKSLASH) escapes++
    if (escapes % 2 === 0) return quote + 1
    at = quote + 1
  }
}

function endOfValue(json: Buffer, from: number): number {
  const first = json[from]
  if (first === QUOTE) return endOfString(json, from)
  if (first === 0x7b || first === 0x5b) return endOfContainer(json, from)
  let at = from
  for (; at < json.length; at++) {
    const byte = json[at] ?? 0
    if (byte <= 0x20 || byte === 0x2c || byte === 0x7d || byte === 0x5d) break
  }
  return at
}

function endOfContainer(json: Buffer, from: number): number {
  let depth = 0
  let at = from
  while (at < json.length) {
    const byte = json[at]
    if (byte === QUOTE) {
      at = endOfString(json, at)
      continue
    }
    at++
    if (byte === 0x7b || byte === 0x5b) depth++
    else if (byte === 0x7d || byte === 0x5d) {
      depth--
      if (depth === 0) return at
    }
  }
  return at
}

function nameAt(json: Buffer, start: number, end: number): string {
  const name = json.toString('utf8', start + 1, end - 1)
  if (!name.includes('\\')) return name
  try {
    return JSON.parse(`"${name}"`) as string // a string, since it stands between quotation marks
  } catch {
    return name
  }
}
