import { html, type Html } from './html.ts'

/** The page around a content; `query` is what the search field holds. */
export function layout(title: string, query: string, content: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · Waybill</title>
        <link rel="stylesheet" href="/page.css" />
        <script type="module" src="/page.js"></script>
      </head>
      <body>
        <header>
          <a class="brand" href="/">Waybill</a>
          <form action="/" role="search">
            <label for="q">Request or trace id</label>
            <input id="q" name="q" value="${query}" spellcheck="false" autocomplete="off" />
            <button>Find</button>
          </form>
        </header>
        <main>${content}</main>
      </body>
    </html>`
}

/** A status code as a badge; its class says which hundred it belongs to. */
export function statusBadge(status: number | null): Html {
  if (status === null) return html`<span class="status s5" title="The connection broke">none</span>`
  return html`<span class="status s${Math.floor(status / 100)}">${status}</span>`
}

/** `user:0199d3f0…`: enough to tell subjects apart; the whole of it shows when pointed at. */
export function subjectCode(subject: string | null | undefined): Html {
  if (!subject) return html`–`
  const short = subject.length > 22 ? `${subject.slice(0, 14)}…` : subject
  return html`<code title="${subject}">${short}</code>`
}

/** A duration in milliseconds, with as many digits as one can compare. */
export function duration(ms: number): string {
  return ms < 10
    ? `${ms.toFixed(1)} ms`
    : ms < 10_000
      ? `${Math.round(ms)} ms`
      : `${(ms / 1000).toFixed(1)} s`
}
