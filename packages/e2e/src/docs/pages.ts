import { DELEGATION, PERMISSIONS, permissionsOf, hasPermission, ROLES } from '@waybill/auth'
import type { z } from 'zod'
import type { DescribedApp } from './apps.ts'

const GENERATED = '<!-- Made by `npm run docs`; a test fails when it is stale. -->'

/** docs/permissions.md: who may use which route, from the routes themselves. */
export function permissionsPage(apps: readonly DescribedApp[]): string {
  const sections = apps.map(({ name, routes, methods }) => {
    const rows = [
      ...routes.map(
        ({ method, path, auth, summary }) =>
          `| \`${method} ${path}\` | ${cell(auth.description)} | ${cell(summary)} |`,
      ),
      ...methods.map(({ path, auth }) => `| \`${path}\` | ${cell(auth.description)} | (gRPC) |`),
    ]
    return [`## ${name}`, '', '| route | for | what it does |', '| --- | --- | --- |', ...rows].join('\n')
  })
  return [
    '# Permissions',
    GENERATED,
    'Who may use which route. "Anybody" routes look at no credential, and say why. A user passes with the permission named, directly or through services that act for them; with an API key if the key was given it too, and no login is asked for. Beside these, every service answers `/livez`, `/readyz`, `/metrics`, `/openapi.json` and `/docs` to anybody who can reach it.',
    rolesSection(),
    delegationSection(),
    ...sections,
    '',
  ].join('\n\n')
}

function rolesSection(): string {
  const rows = Object.entries(PERMISSIONS).map(([permission, { description }]) => {
    const held = ROLES.map((role) => (hasPermission(permissionsOf(role), permission) ? 'yes' : ''))
    return `| \`${permission}\` | ${cell(description)} | ${held.join(' | ')} |`
  })
  return [
    '## What a role holds',
    '',
    'A permission that ends in `.*` covers everything of its name, `*` covers all. From [`permissions.ts`](../packages/auth/src/principal/permissions.ts).',
    '',
    `| permission | what it allows | ${ROLES.join(' | ')} |`,
    `| --- | --- | ${ROLES.map(() => '---').join(' | ')} |`,
    ...rows,
  ].join('\n')
}

function delegationSection(): string {
  const rows = Object.entries(DELEGATION).flatMap(
    ([service, { audiences, outside = {}, assertsWorkspace }]) =>
      [
        ...Object.entries(audiences),
        ...Object.entries(outside).map(
          ([name, { permissions }]) => [`${name} (outside)`, permissions] as const,
        ),
      ].map(([audience, permissions]) => {
        const most = permissions.map((permission) => `\`${permission}\``).join(', ') || 'none'
        return `| ${service} | ${audience} | ${most} | ${assertsWorkspace ? 'yes' : ''} |`
      }),
  )
  return [
    '## What a service may hand on',
    '',
    "A token on a user's behalf holds what was asked for, within what the user holds, within this. A pair that is not here gets none. From [`delegation.ts`](../packages/auth/src/exchange/delegation.ts).",
    '',
    '| service | may call | with at most | may name a workspace |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

/** docs/configuration.md: every variable of every service, from its schema. */
export function configurationPage(apps: readonly DescribedApp[]): string {
  const sections = apps.map(({ name, schema }) => {
    const rows = Object.entries(schema.shape as Record<string, z.ZodType>).map(([variable, type]) => {
      const initial = defaultOf(type)
      return `| \`${variable}\` | ${initial} | ${cell(type.description ?? '')} |`
    })
    return [`## ${name}`, '', '| variable | default | meaning |', '| --- | --- | --- |', ...rows].join('\n')
  })
  return [
    '# Configuration',
    GENERATED,
    "The environment of each service. An empty variable counts as unset; every problem is reported at once, by name. Telemetry understands OpenTelemetry's own variables: `OTEL_EXPORTER_OTLP_ENDPOINT` turns the export of spans on.",
    ...sections,
    '',
  ].join('\n\n')
}

/** .env.example: every variable once, under the services that read it. */
export function environmentExample(apps: readonly DescribedApp[]): string {
  const readers = new Map<string, string[]>()
  for (const { name, schema } of apps) {
    for (const variable of Object.keys(schema.shape))
      readers.set(variable, [...(readers.get(variable) ?? []), name])
  }
  const groups = Map.groupBy(readers, ([, names]) =>
    names.length === apps.length ? 'every service' : names.join(', '),
  )
  const sections = [...groups].map(([names, variables]) => {
    const lines = variables.map(([variable]) => {
      const types = apps.flatMap(({ schema }) => (schema.shape[variable] as z.ZodType | undefined) ?? [])
      const defaults = new Set(types.map((type) => defaultOf(type).replaceAll('`', '')))
      const [initial = ''] = defaults.size === 1 ? defaults : []
      const value = initial === 'required' || initial === 'empty' ? '' : initial
      const note = defaults.size > 1 ? ' (each service has its own default)' : ''
      return `# ${types[0]?.description ?? ''}${note}\n${initial === 'required' ? '' : '# '}${variable}=${value}`
    })
    return [`## ${names}`, ...lines].join('\n')
  })
  return [
    '# Made by `npm run docs`. `npm run dev` and `npm run platform` need none of this: they make their own secrets and wiring.',
    '# Commented lines show defaults; the others must be set where a service runs on its own.',
    '',
    sections.join('\n\n'),
    '',
  ].join('\n')
}

/** The default as one writes it in the environment; "required" where there is none. */
function defaultOf(type: z.ZodType): string {
  const { success, data = '' } = type.safeParse(undefined)
  if (!success) return 'required'
  const text = written(data)
  return text === '' ? 'empty' : `\`${text}\``
}

/** A value as one would write it in the environment. */
function written(value: unknown): string {
  if (Array.isArray(value)) return value.map(String).join(',')
  if (typeof value !== 'object' || value === null) return String(value)
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  return entries.map(([name, each]) => `${String(name)}=${String(each)}`).join(',')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
