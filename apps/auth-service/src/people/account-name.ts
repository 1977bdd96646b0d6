/**
 * The form in which names are compared and counted. What usernames and e-mail addresses may hold is ASCII, which
 * Postgres' lower() and JavaScript fold alike; what people type may be anything (`\u0130`), which they do not. So what is
 * typed is folded only here, and what is kept only in SQL.
 */
export function comparableName(name: string): string {
  return name.toLowerCase()
}
