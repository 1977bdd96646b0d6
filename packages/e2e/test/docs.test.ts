import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { describeApps } from '../src/docs/apps.ts'
import type { DescribedApp } from '../src/docs/apps.ts'
import { PAGES, render } from '../src/docs/render.ts'

let apps: DescribedApp[]
beforeAll(async () => {
  apps = await describeApps()
})

describe('the documentation tells the truth', () => {
  it.each(PAGES)('$file.pathname is what npm run docs makes', async (page) => {
    expect(readFileSync(page.file, 'utf8')).toBe(await render(page, apps))
  })

  it('every variable of a service says what it means', () => {
    const silent = apps.flatMap(({ name, schema }) =>
      Object.entries(schema.shape).flatMap(([variable, type]) =>
        type.description ? [] : [`${name} ${variable}`],
      ),
    )
    expect(silent).toEqual([])
  })

  it('every README of an app names each of its own routes', () => {
    for (const { name, routes } of apps) {
      const readme = readFileSync(new URL(`../../../apps/${name}/README.md`, import.meta.url), 'utf8')
      const missing = routes.filter(({ path }) => !readme.includes(path.replace(/\*\w+$/, '')))
      expect([name, ...missing.map(({ path }) => path)]).toEqual([name])
    }
  })
})
