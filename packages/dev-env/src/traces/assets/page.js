/* global document, fetch, DOMParser, setInterval */

// The list follows what arrives: every two seconds the same page again, of which only the rows are taken.
const rows = document.querySelector('[data-live] tbody')

async function refresh() {
  if (document.hidden) return
  const answer = await fetch(document.location.pathname, { cache: 'no-store' })
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
  const fresh = page.querySelector('[data-live] tbody')
  if (fresh && fresh.innerHTML !== rows.innerHTML) rows.replaceChildren(...fresh.children)
}

// A receiver that has gone away comes back, or does not: the rows on the page stay either way.
if (rows) setInterval(() => refresh().catch(() => undefined), 2000)
