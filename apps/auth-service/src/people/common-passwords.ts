import { dictionary } from '@zxcvbn-ts/language-common'

/** The form in which passwords are looked for among the common ones: nobody is helped by another case or another width. */
export function folded(password: string): string {
  return password.normalize('NFKC').toLowerCase()
}

/** 49,000 passwords that everybody tries first, read from a package and not from the network (ASVS 5.0, 6.2.4). */
export function createCommonPasswords(): { includes(password: string): boolean; size: number } {
  const all = new Set(dictionary['passwords-common'].map(folded))
  return { includes: (password) => all.has(folded(password)), size: all.size }
}
