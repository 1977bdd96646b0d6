import { format, resolveConfig } from 'prettier'
import type { DescribedApp } from './apps.ts'
import { configurationPage, environmentExample, permissionsPage } from './pages.ts'

interface Page {
  file: URL
  make: (apps: readonly DescribedApp[]) => string
}

const docs = (name: string): URL => new URL(`../../../../docs/${name}`, import.meta.url)

/** The files that are made from the code. */
export const PAGES: readonly Page[] = [
  { file: docs('permissions.md'), make: permissionsPage },
  { file: docs('configuration.md'), make: configurationPage },
  { file: docs('../.env.example'), make: environmentExample },
]

/** The page as it stands in the repository: formatted like everything else. */
export async function render(page: Page, apps: readonly DescribedApp[]): Promise<string> {
  if (!page.file.pathname.endsWith('.md')) return page.make(apps)
  const options = await resolveConfig(page.file)
  return format(page.make(apps), { ...options, parser: 'markdown' })
}
