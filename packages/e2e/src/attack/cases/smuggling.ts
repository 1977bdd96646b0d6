import { inWords } from '../answers.ts'
import type { Answer } from '../answers.ts'
import { fail, pass } from '../case.ts'
import type { AttackCase, Verdict } from '../case.ts'
import { summed } from '../judge.ts'
import type { Target } from '../target.ts'
import { requestBytes } from '../wire.ts'

/** A request within the body of another. Its answer would be a 404 of its own: two answers give the smuggler away. */
const WITHIN = '/.attack-smuggled'

interface Ambiguity {
  what: string
  /** Header lines about the length, as they are. */
  framing: readonly string[]
  body?: string
}

/** One request whose end two readers see in different places; it must be refused, or be one request and the last one. */
const ambiguous =
  (build: (smuggled: string) => readonly Ambiguity[]) =>
  async (target: Target): Promise<Verdict> => {
    const smuggled = `GET ${WITHIN} HTTP/1.1\r\nHost: ${target.url.host}\r\n\r\n`
    const verdicts: Verdict[] = []
    for (const { what, framing, body = `0\r\n\r\n${smuggled}` } of build(smuggled)) {
      const request = { path: target.guarded.path, method: 'POST', bare: true, headers: framing }
      const head = requestBytes(target.url, request)
      verdicts.push(judge(await target.write(Buffer.concat([head, Buffer.from(body, 'latin1')])), what))
    }
    return summed(verdicts)
  }

function judge(answers: readonly Answer[], what: string): Verdict {
  const [first] = answers
  const got = `${answers.map(inWords).join(' then ') || 'connection closed'} for ${what}`
  if (answers.length > 1) return fail(`two answers: ${got}`)
  if (first && (first.status < 400 || first.status >= 500) && first.status !== 501) return fail(got)
  return pass(got)
}

/** A malformed request that must be refused as a whole. */
const malformed =
  (build: (target: Target) => readonly (readonly [what: string, bytes: string])[]) =>
  async (target: Target): Promise<Verdict> => {
    const verdicts: Verdict[] = []
    for (const [what, text] of build(target)) {
      verdicts.push(judge(await target.write(Buffer.from(text, 'latin1')), what))
    }
    return summed(verdicts)
  }

/** With the good token, if there is one: then whoever reads the request at all answers with a success. */
const lines = ({ url, guarded, token }: Target, ...headers: string[]): string => {
  const credential = token === undefined ? [] : [`Authorization: Bearer ${token}`]
  const first = [`${guarded.method} ${guarded.path} HTTP/1.1`, `Host: ${url.host}`, 'Connection: close']
  return [...first, ...credential, ...headers, '', ''].join('\r\n')
}

export const smugglingCases: AttackCase[] = [
  {
    id: 'smuggling/length-and-chunks',
    rule: 'RFC 9112 section 6.3, CWE-444',
    expects: '400, or one answer and the connection closed',
    run: ambiguous((smuggled) => [
      { what: 'CL.TE', framing: [`Content-Length: ${5 + smuggled.length}`, 'Transfer-Encoding: chunked'] },
      {
        what: 'TE.CL',
        framing: ['Transfer-Encoding: chunked', 'Content-Length: 4'],
        body: `5c\r\n${smuggled}\r\n0\r\n\r\n`,
      },
      { what: 'CL.0', framing: ['Content-Length: 0', 'Transfer-Encoding: chunked'] },
    ]),
  },
  {
    id: 'smuggling/two-lengths',
    rule: 'RFC 9112 section 6.3 item 5',
    expects: '400',
    run: ambiguous((smuggled) => [
      { what: 'two that differ', framing: ['Content-Length: 5', `Content-Length: ${5 + smuggled.length}`] },
      { what: 'a list', framing: [`Content-Length: 5, ${5 + smuggled.length}`] },
      ...['+5', '-5', '0x5', '5 5', '5.0', '1e1', '5abc', '', '٥'].map((length) => ({
        what: `Content-Length: ${length}`,
        framing: [`Content-Length: ${length}`],
      })),
    ]),
  },
  {
    id: 'smuggling/obscured-chunks',
    rule: 'RFC 9112 section 6.1, CWE-444',
    expects: '400 or 501, or one answer and the connection closed',
    run: ambiguous((smuggled) =>
      [
        ...[
          'Transfer-Encoding: xchunked',
          'Transfer-Encoding : chunked',
          'Transfer-Encoding: chunked, identity',
        ],
        ...[
          'Transfer-Encoding: identity, chunked',
          'Transfer-Encoding: "chunked"',
          'Transfer-Encoding: chun ked',
        ],
        ...[
          'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
          'Transfer-Encoding: x\r\nTransfer-Encoding: chunked',
        ],
        ...[
          'Transfer-Encoding:\vchunked',
          'Transfer-Encoding: \0chunked',
          'X: y\nTransfer-Encoding: chunked',
        ],
        ...[
          ' Transfer-Encoding: chunked',
          'Transfer-Encoding\r\n: chunked',
          'Transfer-Encoding: \r\n chunked',
          'Transfer\u00adEncoding: chunked',
        ],
      ].map((line) => ({
        what: JSON.stringify(line),
        framing: [`Content-Length: ${5 + smuggled.length}`, line],
      })),
    ),
  },
  {
    id: 'smuggling/chunk-sizes',
    rule: 'RFC 9112 section 7.1, CVE-2024-22019',
    expects: '400, or one answer',
    run: ambiguous((smuggled) =>
      ['-1', '0x0', '+0', '0 0', 'g', 'fffffffffffffffff', '0;\n', '0\n'].map((size) => ({
        what: `chunk size ${JSON.stringify(size)}`,
        framing: ['Transfer-Encoding: chunked', 'Connection: close'],
        body: `${size}\r\n\r\n${smuggled}`,
      })),
    ),
  },
  {
    id: 'smuggling/header-syntax',
    rule: 'RFC 9112 section 5, RFC 9110 section 5.5',
    expects: '4xx, one answer',
    run: malformed((target) => [
      ['a space before the colon', lines(target, 'X-User-ID : admin')],
      ['a space before the name', lines(target, ' X-User-ID: admin')],
      ['NUL in a value', lines(target, 'X-User-ID: a\u0000b')],
      ['NUL in a name', lines(target, 'X-User\u0000-ID: a')],
      ['a bare CR in a value', lines(target, 'X-A: b\rX-User-ID: admin')],
      ['a bare LF between lines', lines(target, 'X-A: b\nX-User-ID: admin')],
      ['no colon', lines(target, 'X-User-ID admin')],
      ['an empty name', lines(target, ': admin')],
      ['a name in quotes', lines(target, '"X-User-ID": admin')],
    ]),
  },
  {
    id: 'smuggling/request-line-and-host',
    rule: 'RFC 9112 sections 3 and 3.2',
    expects: '4xx, one answer',
    run: malformed((target) => [
      ['two Hosts', lines(target, 'Host: evil.example')],
      ['no Host', lines(target).replace(/Host: [^\r]*\r\n/, '')],
      ['a space in the target', lines(target).replace(' HTTP', ' x HTTP')],
      ['HTTP/9.9', lines(target).replace('HTTP/1.1', 'HTTP/9.9')],
      ['HTTP/0.9', `${target.guarded.method} ${target.guarded.path}\r\n\r\n`],
      ['a tab for a space', lines(target).replace(' ', '\t')],
      ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
      ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003'],
    ]),
  },
  {
    id: 'smuggling/too-much',
    rule: 'RFC 6585 section 5, CWE-400',
    expects: '431 or another 4xx',
    run: malformed((target) => [
      ['a header of 100 kB', lines(target, `X-Big: ${'a'.repeat(100_000)}`)],
      ['5,000 headers', lines(target, ...Array.from({ length: 5_000 }, (_, at) => `X-H${at}: a`))],
      ['a path of 100 kB', lines(target).replace(' HTTP', `?${'a'.repeat(100_000)} HTTP`)],
    ]),
  },
]
