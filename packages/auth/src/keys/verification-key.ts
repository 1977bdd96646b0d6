import type { KeyObject } from 'node:crypto'

/** A key that can verify signatures of exactly one algorithm. Never text: what a key is for is not guessed from it. */
export interface VerificationKey {
  kid: string
  alg: string
  key: KeyObject
}

/** Where a verifier finds the key that a token names; undefined when there is none of that id. */
export interface KeySource {
  find(kid: string): Promise<VerificationKey | undefined>
  /**
   * Whether the key is still published, without waiting: asked at each use of a token that was verified before. A source
   * without this never takes a key back.
   */
  holds?(kid: string): boolean
}
