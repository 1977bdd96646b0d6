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

/** Whether a condition is never true but by a claim: in each branch of an OR, and in one of an AND. */
export function readsClaim(text: string, ownFunctions: readonly string[]): boolean {
  return reads(withoutSubselects(text, ownFunctions), ownFunctions)
}

function reads(text: string, ownFunctions: readonly string[]): boolean {
  const inner = stripped(text)
  const either = split(inner, ' OR ')
  if (either.length > 1) return either.every((part) => reads(part, ownFunctions))
  const all = split(inner, ' AND ')
  if (all.length > 1) return all.some((part) => reads(part, ownFunctions))
  return inner.includes(CLAIM) || inner.includes('current_setting(') || calls(inner, ownFunctions)
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
