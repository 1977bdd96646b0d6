/** How long a window is, in milliseconds. It begins with the first call that falls into it. */
export const WINDOW_MS = 60_000

/** Somebody whose calls are counted, and how many are allowed. */
export interface Subject {
  kind: 'user' | 'api_key'
  id: string
  requests: number
  tokens: number
  concurrent: number
}

/** What a subject had used before a call; times in milliseconds since 1970. */
export interface Counts {
  requests: number
  /** When the window of the requests ends. */
  requestsUntil: number
  tokens: number
  tokensUntil: number
  concurrent: number
}

/** What came of the attempt to take what a call wants. */
export interface Taking {
  /** False: somebody's limit would be exceeded, and nothing was taken from anybody. */
  admitted: boolean
  now: number
  /** Of each subject, in their order. */
  counts: readonly Counts[]
  /** Frees the place, and counts `used` tokens instead of those that were taken, unless their window is over. Never throws. */
  end: (used: number) => void
}

/** What a call takes of each subject. */
export interface Wanted {
  /** So many requests, and so many places: none for a call that has taken its own before. */
  calls: 0 | 1
  tokens: number
}

/** Where calls are counted. */
export interface LimitStore {
  /** One step, whatever else happens at the same time: all that is wanted of every subject, or nothing of any. */
  take(subjects: readonly Subject[], wanted: Wanted): Taking | Promise<Taking>
  start(): Promise<void>
  close(): Promise<void>
}

/** Whether what is wanted still fits. */
export function fits(subject: Subject, counts: Counts, { calls, tokens }: Wanted): boolean {
  return (
    (calls === 0 || (counts.requests < subject.requests && counts.concurrent < subject.concurrent)) &&
    counts.tokens + tokens <= subject.tokens
  )
}
