import type { AttackCase, Verdict } from '../case.ts'
import { mustNotOpen, summed } from '../judge.ts'
import type { Target } from '../target.ts'
import type { RawRequest } from '../wire.ts'

type Variant = readonly [what: string, request: RawRequest]

/** Sends each without a credential: whatever they come to, it must not be what is guarded. */
const unopened =
  (build: (path: string, target: Target) => readonly Variant[]) =>
  async (target: Target): Promise<Verdict> => {
    const verdicts: Verdict[] = []
    for (const [what, request] of build(target.guarded.path, target)) {
      verdicts.push(mustNotOpen(target, await target.send(request), what))
    }
    return summed(verdicts)
  }

const at = (path: string): Variant => [path, { path }]
const EXEMPT = [
  '/livez',
  '/healthz',
  '/health',
  '/readyz',
  '/metrics',
  '/docs',
  '/openapi.json',
  '/login',
  '/auth/login',
  '/public',
  '/static',
  '/.well-known',
]

/** Bytes in place of their characters, `%61` for `a`. */
const percent = (text: string): string =>
  text.replace(/[^/]/g, (char) => `%${char.charCodeAt(0).toString(16)}`)

export const pathCases: AttackCase[] = [
  {
    id: 'paths/encoded',
    rule: 'RFC 3986 section 6.2.2.2, CWE-647',
    expects: 'no success without a credential',
    run: unopened((path) => {
      const [first = '', ...rest] = path.slice(1).split('/')
      const tail = rest.length ? `/${rest.join('/')}` : ''
      return [
        `/${percent(first)}${tail}`,
        `/${percent(first).toUpperCase().replaceAll('%', '%')}${tail}`,
        `/${percent(percent(first))}${tail}`,
        path.replace(/\/(?=[^/]*$)/, '%2f'),
        path.replace(/\/(?=[^/]*$)/, '%2F'),
        path.replace(/\/(?=[^/]*$)/, '%5c'),
        path.replace(/\/(?=[^/]*$)/, '%252f'),
        path.replace(/\/(?=[^/]*$)/, '\\'),
        ...[
          '%00',
          '%20',
          '%09',
          '%0a',
          '%0d%0a',
          '%23',
          '%3f',
          '%2e',
          '%c0%af',
          '%ff',
          '.json',
          '~',
          '%',
        ].map((end) => path + end),
        `/%2e${path}`,
        `/%2e%2e${path}`,
      ].map(at)
    }),
  },
  {
    id: 'paths/dots-and-slashes',
    rule: 'RFC 3986 section 5.2.4, CWE-22',
    expects: 'no success without a credential',
    run: unopened((path) =>
      [
        `/${path}`,
        `//${path}`,
        path.replaceAll('/', '//'),
        `/.${path}`,
        `/..${path}`,
        `/./.${path}`,
        `${path}/`,
        `${path}//`,
        `${path}/.`,
        `${path}/..`,
        `${path}/../${path.split('/').at(-1) ?? ''}`,
        `${path}/%2e`,
        `${path};`,
        `${path};a=b`,
        `${path}/;/`,
        `/;${path}`,
        `/..;${path}`,
        `${path}?`,
        `${path}#`,
        `${path}#/livez`,
      ].map(at),
    ),
  },
  {
    id: 'paths/by-way-of-an-open-one',
    rule: 'CWE-425, CVE-2023-27482',
    expects: 'no success without a credential',
    run: unopened((path) =>
      EXEMPT.flatMap((open) => [
        `${open}/..${path}`,
        `${open}/%2e%2e${path}`,
        `${open}/..%2f${path.slice(1)}`,
        `${open}%2f..${path}`,
        `${open};/..${path}`,
        `${open}/..;${path}`,
        `${open}${path}`,
        `${path}?x=${open}`,
        `${path}?${open}`,
        `${path};${open}`,
        `${path}%3f${open}`,
        `${path}/..${open}/..${path}`,
      ]).map(at),
    ),
  },
  {
    id: 'paths/letter-case',
    rule: 'RFC 3986 section 6.2.2.1: paths are case-sensitive',
    expects: 'no success without a credential',
    run: unopened((path) =>
      [
        path.toUpperCase(),
        path.replace(/[a-z]/, (char) => char.toUpperCase()),
        path.replace(/s/g, '\u017f'),
        path.replace(/k/g, '%e2%84%aa'),
      ]
        .filter((other) => other !== path)
        .map(at),
    ),
  },
  {
    id: 'paths/absolute-form',
    rule: 'RFC 9112 section 3.2.2',
    expects: 'no success without a credential',
    run: unopened((path, { url }) => [
      at(`http://${url.host}${path}`),
      at(`http://localhost${path}`),
      at(`http://evil.example${path}`),
      at(`https://${url.host}${path}`),
      at(`http://${url.host}/livez/..${path}`),
      at(`http://user:pass@${url.host}${path}`),
      at('*'),
      [`Host: localhost`, { path, host: 'localhost' }],
      [`Host: 127.0.0.1`, { path, host: '127.0.0.1' }],
    ]),
  },
  {
    id: 'paths/rewriting-headers',
    rule: 'CWE-436: two readers of one request',
    expects: 'no success without a credential',
    run: unopened((path) =>
      [
        'X-Original-URL',
        'X-Rewrite-URL',
        'X-Original-URI',
        'X-Forwarded-Uri',
        'X-Forwarded-Path',
        'X-Forwarded-Prefix',
        'X-Request-URI',
      ].flatMap((name): Variant[] => [
        [`${name} on /livez`, { path: '/.attack-made-up-path', headers: [`${name}: ${path}`] }],
        [`${name}: /livez`, { path, headers: [`${name}: /livez`] }],
        [`${name}: /auth/login`, { path, headers: [`${name}: /auth/login`] }],
      ]),
    ),
  },
  {
    id: 'paths/trusted-places',
    rule: 'CWE-291: an address is no credential',
    expects: 'no success without a credential',
    run: unopened((path) =>
      [
        'X-Forwarded-For',
        'X-Real-IP',
        'X-Client-IP',
        'True-Client-IP',
        'CF-Connecting-IP',
        'Forwarded',
        'X-Forwarded-Host',
        'Referer',
        'Origin',
      ].flatMap((name) =>
        ['127.0.0.1', 'for=127.0.0.1', 'localhost', '10.0.0.1'].map((value): Variant => [
          `${name}: ${value}`,
          { path, headers: [`${name}: ${value}`] },
        ]),
      ),
    ),
  },
  {
    id: 'paths/method-override',
    rule: 'CWE-650',
    expects: 'no success without a credential',
    run: unopened((path) =>
      ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'].flatMap((name) =>
        (['GET', 'OPTIONS', 'HEAD'] as const).flatMap((method): Variant[] => [
          [
            `${name}: ${method}`,
            {
              path,
              method: 'POST',
              body: '{}',
              headers: [`${name}: ${method}`, 'Content-Type: application/json'],
            },
          ],
          [`${name}: ${method} on GET`, { path, headers: [`${name}: ${method}`] }],
        ]),
      ),
    ),
  },
  {
    id: 'paths/other-methods',
    rule: 'RFC 9110 section 9, CWE-650',
    expects: 'no success without a credential but an empty OPTIONS',
    async run(target) {
      const verdicts: Verdict[] = []
      for (const method of ['HEAD', 'TRACE', 'CONNECT', 'PROPFIND', 'get', 'Get', 'GETX', 'PATCH', 'QUERY']) {
        verdicts.push(mustNotOpen(target, await target.send({ method }), method))
      }
      const options = await target.send({ method: 'OPTIONS' })
      const empty = options.body === '' || options.headers.some(([name]) => name === 'allow')
      verdicts.push(
        empty ? { outcome: 'pass', got: String(options.status) } : mustNotOpen(target, options, 'OPTIONS'),
      )
      return summed(verdicts)
    },
  },
]
