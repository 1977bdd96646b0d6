export { createTestIssuer } from './issuer.ts'
export type { TestIssuer, TokenOptions } from './issuer.ts'
