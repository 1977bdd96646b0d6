import type { AttackCase } from '../case.ts'
import { accountCases } from './accounts.ts'
import { algorithmCases } from './algorithms.ts'
import { apiKeyCases } from './api-keys.ts'
import { credentialCases } from './credentials.ts'
import { disclosureCases } from './disclosure.ts'
import { identityCases } from './identity.ts'
import { keyCases } from './keys.ts'
import { pathCases } from './paths.ts'
import { redirectCases } from './redirects.ts'
import { signatureCases } from './signatures.ts'
import { smugglingCases } from './smuggling.ts'
import { spellingCases } from './spelling.ts'

/** The whole suite. What uses up the patience of a service with logins comes last. */
export const ATTACKS: readonly AttackCase[] = [
  ...credentialCases,
  ...algorithmCases,
  ...keyCases,
  ...signatureCases,
  ...spellingCases,
  ...apiKeyCases,
  ...identityCases,
  ...pathCases,
  ...smugglingCases,
  ...redirectCases,
  ...disclosureCases,
  ...accountCases,
]
