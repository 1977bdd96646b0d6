/** What goes wrong with a request, for tests of what its client makes of that. Times are in milliseconds. */
export type Fault =
  /** The vendor's error of that status; `quota` is OpenAI's 429 that waiting does not help. */
  | { kind: 'error'; status: number; quota?: boolean; headers?: Readonly<Record<string, string>> }
  /** 302 to `to`, a place of the mock itself unless said. */
  | { kind: 'redirect'; to?: string }
  /** HTML with status 200 unless `status` and `body` say otherwise. */
  | { kind: 'garbage'; status?: number; body?: string }
  | { kind: 'slow-head'; ms: number }
  /** `before` runs when the request has been read, before anything is answered. */
  | { kind: 'pause'; before: () => void | Promise<void> }
  /** Never an answer, not even its head. */
  | { kind: 'no-first-byte' }
  /** A connection reset in place of the head. */
  | { kind: 'no-head' }
  /** After so many pieces of the body: silence, a reset, a clean end, bytes that are no frame, the vendor's own error frame. */
  | { kind: 'stall' | 'reset' | 'cut' | 'garbled' | 'error-frame'; after: number }
  /** A pause between pieces. */
  | { kind: 'every'; ms: number }
  /** So many words of text, in place of the echo. */
  | { kind: 'chunks'; count: number }
  /** Every word is followed by so many bytes. */
  | { kind: 'wide'; bytes: number }
  | { kind: Trait }

/** What a body or its head can be like; see the README of this folder. */
export type Trait = 'gzip' | 'crlf' | 'comments' | 'torn' | 'cookies' | 'no-usage' | 'odd-json'

export interface FaultOptions {
  /** How many requests it hits; 1 unless said. */
  times?: number
  /** Which ones: `POST /v1/...`, as it stood on the wire. All unless said. */
  on?: RegExp
}

type Named = (number: number | undefined) => Fault

const trait =
  (kind: Trait): Named =>
  () => ({ kind })

const NAMED: ReadonlyMap<string, Named> = new Map<string, Named>([
  ['err', (status = 500) => ({ kind: 'error', status })],
  ['quota', () => ({ kind: 'error', status: 429, quota: true })],
  ['redirect', () => ({ kind: 'redirect' })],
  ['garbage', () => ({ kind: 'garbage' })],
  ['slow-head', (ms = 500) => ({ kind: 'slow-head', ms })],
  ['no-first-byte', () => ({ kind: 'no-first-byte' })],
  ['no-head', () => ({ kind: 'no-head' })],
  ...(['stall', 'reset', 'cut', 'garbled', 'error-frame'] as const).map((kind): [string, Named] => [
    kind,
    (after = 0) => ({ kind, after }),
  ]),
  ['every', (ms = 20) => ({ kind: 'every', ms })],
  ['chunks', (count = 100) => ({ kind: 'chunks', count })],
  ['wide', (bytes = 1024) => ({ kind: 'wide', bytes })],
  ...(['gzip', 'crlf', 'comments', 'torn', 'cookies', 'no-usage', 'odd-json'] as const).map(
    (kind): [string, Named] => [kind, trait(kind)],
  ),
])

/** The faults that a model's name asks for: `err-429`, `stall-5`, several as `chunks-100+gzip`. Other names ask for none. */
export function faultsOf(model: string): Fault[] {
  const name = model.slice(model.lastIndexOf('/') + 1)
  return name.split('+').flatMap((part) => {
    const [, word = '', number] = /^([a-z-]+?)(?:-(\d+))?$/.exec(part) ?? []
    const fault = NAMED.get(word)
    return fault ? [fault(number === undefined ? undefined : Number(number))] : []
  })
}

/** The fault of one kind among several. */
export function faultOf<K extends Fault['kind']>(
  faults: readonly Fault[],
  kind: K,
): (Fault & { kind: K }) | undefined {
  return faults.find((fault): fault is Fault & { kind: K } => fault.kind === kind)
}

export interface Faults {
  add: (fault: Fault, options?: FaultOptions) => void
  /** Those that hit this request, which are thereby used up. */
  take(call: string): Fault[]
  clear: () => void
}

export function createFaults(): Faults {
  let waiting: { fault: Fault; left: number; on: RegExp | undefined }[] = []
  return {
    add(fault, { times = 1, on } = {}) {
      waiting.push({ fault, left: times, on })
    },
    take(call) {
      const hits = waiting.filter(({ on }) => on === undefined || on.test(call))
      for (const hit of hits) hit.left -= 1
      waiting = waiting.filter(({ left }) => left > 0)
      return hits.map(({ fault }) => fault)
    },
    clear() {
      waiting = []
    },
  }
}
