/** Markup that is safe to send: every value in it has been escaped. */
export interface Html {
  readonly markup: string
}

type Value = string | number | Html | null | undefined | false | readonly Html[]

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Tag for templates: values are escaped unless they are Html themselves; null, undefined and false are nothing. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  const markup = parts.map((part, index) => part + render(values[index])).join('')
  return { markup }
}

function render(value: Value): string {
  if (value === null || value === undefined || value === false) return ''
  if (typeof value === 'string' || typeof value === 'number') {
    return String(value).replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '')
  }
  return 'markup' in value ? value.markup : value.map(({ markup }) => markup).join('\n')
}
