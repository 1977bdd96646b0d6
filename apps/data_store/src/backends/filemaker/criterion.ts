/**
 * The find criterion for fields that are `text` and nothing else: every character that is an operator in FileMaker, or could
 * become one with its neighbours, is escaped ("Find operators" in Claris' help). FileMaker still compares without regard to case,
 * so what is found has to be looked at again.
 */
export function exactly(text: string): string {
  return `==${text.replace(/[^\p{L}\p{N} _%:-]/gu, '\\$&')}`
}

/** As exactly, for fields that begin with `text`. */
export function startsWith(text: string): string {
  return `${exactly(text)}*`
}
