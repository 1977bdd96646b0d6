/** One request of an .http file. */
export interface HttpExample {
  name: string | undefined
  title: string
  method: string
  url: string
  headers: Record<string, string>
  body: string | undefined
  /** The statuses of which one must be answered. */
  expect: readonly number[]
}

/** The requests of a file as editors run it, with `# @expect` lines of our own for the test that runs it. */
export function parseHttpFile(text: string): { variables: Map<string, string>; examples: HttpExample[] } {
  const [head = '', ...blocks] = text.split(/^###/m)
  const variables = new Map(
    [...head.matchAll(/^@(\w+) = (.+)$/gm)].map(([, name = '', value = '']) => [name, value]),
  )
  return { variables, examples: blocks.map(parseBlock) }
}

function parseBlock(block: string): HttpExample {
  const [title = '', ...lines] = block.split('\n')
  const comments = lines.filter((line) => line.startsWith('#'))
  const rest = lines.filter((line) => !line.startsWith('#')).join('\n')
  const [head = '', ...body] = rest.trim().split(/\n\n/)
  const [start = '', ...headers] = head.split('\n')
  const [method = '', url = ''] = start.split(' ')
  const note = (name: string): string | undefined =>
    comments.find((line) => line.startsWith(`# @${name} `))?.slice(name.length + 4)
  return {
    name: note('name'),
    title: title.trim(),
    method,
    url,
    headers: Object.fromEntries(
      headers.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
    ),
    body: body.length > 0 ? body.join('\n\n') : undefined,
    expect: (note('expect') ?? '').split(',').map(Number),
  }
}

/** `{{name}}` and `{{request.response.body.field}}` filled in. Throws when something that is named is not there. */
export function fill(text: string, values: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\{\{([\w.]+)\}\}/g, (_, name: string) => {
    const value = values.get(name)
    if (value === undefined) throw new Error(`${name} is not known here`)
    return value
  })
}
