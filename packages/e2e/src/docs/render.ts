import { format, resolveConfig } from 'prettier'
import type { DescribedApp } from './apps.ts'
import { configurationPage, permissionsPage } from './pages.ts'

interface Page {
  file: URL
  make: (apps: readonly DescribedApp[]) => string
}

const docs = (name: string): URL => new URL(`../../../../docs/${name}`, import.meta.url)

/** The pages of docs/ that are made from the code. */
export const PAGES: readonly Page[] = [
  { file: docs('permissions.md'), make: permissionsPage },
  { file: docs('configuration.md'), make: configurationPage },
]

/** The page as it stands in the repository: formatted like everything else. */
export async function render(page: Page, apps: readonly DescribedApp[]): Promise<string> {
  const options = await resolveConfig(page.file)
  return format(page.make(apps), { ...options, parser: 'markdown' })
}
