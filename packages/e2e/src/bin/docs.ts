import { writeFileSync } from 'node:fs'
import { describeApps } from '../docs/apps.ts'
import { PAGES, render } from '../docs/render.ts'

// npm run docs: makes the generated pages anew.
const apps = await describeApps()
for (const page of PAGES) writeFileSync(page.file, await render(page, apps))
