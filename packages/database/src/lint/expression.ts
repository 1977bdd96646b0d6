/**
 * Conditions of policies as pg_get_expr writes them: every operator in parentheses of its own, subselects as `( SELECT ...)`. What
 * looks like a parser is enough for that one writer.
 */

/** Stands for a subselect that reads a claim or a table, and one that does neither. */
const CLAIM = '§'
const CONSTANT = '¤'

/** The text with every subselect replaced by one sign: what is left is computed for every row. */
export function withoutSubselects(text: string, ownFunctions: readonly string[]): string {
  let rest = ''
  for (let at = 0; at < text.length; at += 1) {
    if (text.startsWith("'", at)) {
      const end = endOfText(text, at)
      rest += text.slice(at, end)
      at = end - 1
    } else if (text.startsWith('( SELECT', at)) {
      const end = closing(text, at)
      const inner = text.slice(at, end + 1)
      const reads = inner.includes('current_setting(') || /\bFROM\b/.test(inner) || calls(inner, ownFunctions)
      rest += reads ? CLAIM : CONSTANT
      at = end
    } else rest += text[at] ?? ''
  }
  return rest
}

/**
 * Whether a condition is never true but by a claim: in each branch of an OR, and in one of an AND, a claim equals something of
 * the row (or is one of an array of it), overlaps an array, or a table has a row for it. That a claim is there, or differs, or what
 * it is when it is not there, binds nobody.
 */
export function bindsClaim(text: string, ownFunctions: readonly string[]): boolean {
  return binds(withoutSubselects(text, ownFunctions), ownFunctions)
}

function binds(text: string, ownFunctions: readonly string[]): boolean {
  const inner = stripped(text)
  const either = split(inner, ' OR ')
  if (either.length > 1) return either.every((part) => binds(part, ownFunctions))
  const all = split(inner, ' AND ')
  if (all.length > 1) return all.some((part) => binds(part, ownFunctions))
  if (inner === `EXISTS ${CLAIM}`) return true
  const overlapping = split(inner, ' && ')
  if (overlapping.length === 2) return overlapping.some((side) => isClaim(side, ownFunctions))
  const [left = '', right = '', ...more] = split(inner, ' = ')
  return (
    more.length === 0 &&
    ((isClaim(left, ownFunctions) && isOfRow(right)) || (isClaim(right, ownFunctions) && isOfRow(left)))
  )
}

/** A claim as it is, cast or not, or any of an array of it: with something else for one that is missing it would be no claim. */
function isClaim(side: string, ownFunctions: readonly string[]): boolean {
  const bare = bareOf(side.replace(/^ANY (?=\()/, ''))
  if (bare === CLAIM) return true
  return (bare.includes('current_setting(') || calls(bare, ownFunctions)) && !/\b(COALESCE|CASE)\b/.test(bare)
}

/** Names something that is not a text, a number or a claim: a column. */
function isOfRow(side: string): boolean {
  const rest = side.replace(/'(?:[^']|'')*'/g, '').replace(/::[\w ]+(\[\])?/g, '')
  return !rest.includes(CLAIM) && /[a-z_]/.test(rest.replace(/\b(true|false|null)\b/gi, ''))
}

/** Without the parentheses and casts around all of it. */
function bareOf(side: string): string {
  const inner = stripped(side)
  const [, cast] = /^(.*)::[\w ]+(?:\[\])?$/.exec(inner) ?? []
  return cast === undefined ? inner : bareOf(cast)
}

/** The columns, or expressions, that a condition compares with claims for equality. */
export function claimOperands(text: string, ownFunctions: readonly string[]): string[] {
  const operands = new Set<string>()
  const whole = `(${withoutSubselects(text, ownFunctions)})`
  for (let at = 0; at < whole.length; at += 1) {
    if (whole[at] === "'") at = endOfText(whole, at) - 1
    if (whole[at] !== '(') continue
    const sides = split(whole.slice(at + 1, closing(whole, at)), ' = ')
    const [left = '', right = ''] = sides
    if (sides.length !== 2 || left.includes(CLAIM) === right.includes(CLAIM)) continue
    operands.add(withoutCast(left.includes(CLAIM) ? right : left))
  }
  return [...operands]
}

function withoutCast(operand: string): string {
  const [, inner = operand] = /^\((.*)\)::[\w ]+$/.exec(operand) ?? []
  return inner
}

function calls(text: string, functions: readonly string[]): boolean {
  return functions.some((name) => text.includes(`${name}(`))
}

/** Without the parentheses around all of it. */
function stripped(text: string): string {
  let inner = text.trim()
  while (inner.startsWith('(') && closing(inner, 0) === inner.length - 1) inner = inner.slice(1, -1).trim()
  return inner
}

/** At a separator that is in no parentheses and no text. */
function split(text: string, separator: string): string[] {
  const parts: string[] = []
  let from = 0
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === "'") at = endOfText(text, at) - 1
    else if (text[at] === '(') at = closing(text, at)
    else if (text.startsWith(separator, at)) {
      parts.push(text.slice(from, at))
      from = at + separator.length
      at = from - 1
    }
  }
  return [...parts, text.slice(from)]
}

/** Where the parenthesis at `open` is closed. */
function closing(text: string, open: number): number {
  let depth = 0
  for (let at = open; at < text.length; at += 1) {
    if (text[at] === "'") at = endOfText(text, at) - 1
    else if (text[at] === '(') depth += 1
    else if (text[at] === ')') {
      depth -= 1
      if (depth === 0) return at
    }
  }
  return text.length
}

/** After the closing quote; a doubled one is part of the text. */
function endOfText(text: string, quote: number): number {
  for (let at = quote + 1; at < text.length; at += 1) {
    if (text[at] !== "'") continue
    if (text[at + 1] !== "'") return at + 1
    at += 1
  }
  return text.length
}
