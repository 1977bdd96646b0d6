import type { Account } from '../platform/accounts.ts'

/** What there is and how to get in, for a person: one line each. */
export function overview(urls: Record<string, string>, accounts: readonly Account[]): string {
  const width = Math.max(...Object.keys(urls).map((name) => name.length))
  const lines = Object.entries(urls).map(([name, url]) => `  ${name.padEnd(width)}  ${url}`)
  const users = accounts.map(
    ({ username, password, role }) => `  ${username.padEnd(width)}  ${password}  (${role})`,
  )
  return ['', 'Waybill is ready.', '', ...lines, '', 'Accounts (name, password):', ...users, ''].join('\n')
}
