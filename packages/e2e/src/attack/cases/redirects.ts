import { headerOf, inWords } from '../answers.ts'
import { fail, pass } from '../case.ts'
import type { AttackCase, Verdict } from '../case.ts'
import { summed } from '../judge.ts'
import type { Target } from '../target.ts'
import type { RawRequest } from '../wire.ts'

const EVIL = 'evil.example'

/** No answer may send whoever asks, credential and all, to a place that the request has named. */
const staysHere =
  (build: (target: Target) => readonly (readonly [what: string, request: RawRequest])[]) =>
  async (target: Target): Promise<Verdict> => {
    const credential = target.token === undefined ? [] : [`Authorization: Bearer ${target.token}`]
    const verdicts: Verdict[] = []
    for (const [what, request] of build(target)) {
      const answer = await target.send({ ...request, headers: [...credential, ...(request.headers ?? [])] })
      const leads = ['location', 'refresh', 'content-location', 'link'].map(
        (name) => headerOf(answer, name) ?? '',
      )
      const away = leads.find((value) => leadsAway(target.url, value))
      verdicts.push(
        away === undefined
          ? pass(inWords(answer))
          : fail(`${answer.status} to ${away} for ${what}`.slice(0, 100)),
      )
    }
    return summed(verdicts)
  }

function leadsAway(base: URL, value: string): boolean {
  if (value.includes(EVIL)) {
    // The name may stand in a path or a query of this very place.
    const url = URL.parse(value.replace(/^.*?url=/i, ''), base.href)
    return url?.host !== base.host
  }
  return false
}

export const redirectCases: AttackCase[] = [
  {
    id: 'redirects/host-header',
    rule: 'CWE-601, CWE-644',
    expects: 'no Location at a host that the request named',
    run: staysHere(({ guarded: { path } }) =>
      [path, `${path}/`, path.replace(/^\//, '//'), '/', '/docs'].flatMap((at) => [
        [`Host on ${at}`, { path: at, host: EVIL }] as const,
        ...[
          'X-Forwarded-Host',
          'X-Forwarded-Server',
          'X-Host',
          'X-Original-Host',
          'Forwarded',
          'X-Forwarded-Proto',
          'X-Forwarded-Prefix',
        ].map(
          (name) =>
            [
              `${name} on ${at}`,
              { path: at, headers: [`${name}: ${name === 'Forwarded' ? 'host=' : ''}${EVIL}`] },
            ] as const,
        ),
      ]),
    ),
  },
  {
    id: 'redirects/path-as-host',
    rule: 'CWE-601',
    expects: 'no Location at a host in the path',
    run: staysHere(() =>
      [
        `//${EVIL}`,
        `//${EVIL}/%2f..`,
        `/\\${EVIL}`,
        `/%5c${EVIL}/`,
        `/%2f%2f${EVIL}`,
        `/%0d%0aLocation:%20http://${EVIL}`,
        `///${EVIL}/..`,
      ].map((path) => [path, { path }] as const),
    ),
  },
  {
    id: 'redirects/by-parameter',
    rule: 'CWE-601',
    expects: 'no Location at a host in a parameter',
    run: staysHere(({ guarded: { path } }) =>
      ['next', 'url', 'redirect', 'redirect_uri', 'return_to', 'continue', 'callback'].map(
        (name) => [name, { path: `${path}?${name}=http://${EVIL}/` }] as const,
      ),
    ),
  },
]
