import { existsSync, globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
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

  it('every link from one file of the project to another leads somewhere', () => {
    const root = new URL('../../../', import.meta.url)
    const pages = globSync(['*.md', '{docs,infra,apps,packages}/**/*.md'], {
      cwd: fileURLToPath(root),
      exclude: (name) => name === 'node_modules',
    })
    expect(pages.length).toBeGreaterThan(20)
    const broken = pages.flatMap((page) => {
      const links = readFileSync(new URL(page, root), 'utf8').matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)
      return [...links].flatMap(([, target = '']) =>
        existsSync(new URL(target, new URL(page, root))) ? [] : [`${page}: ${target}`],
      )
    })
    expect(broken).toEqual([])
  })
})
