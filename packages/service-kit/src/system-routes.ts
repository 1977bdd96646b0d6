import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import express from 'express'
import type { Express, Response } from 'express'
import { metricsText, setServerRoute } from '@waybill/telemetry'
import { openApiDocument } from './openapi.ts'
import type { DescribedService } from './openapi.ts'
import type { Readiness } from './readiness.ts'
import type { Route } from './route.ts'

/** The paths of what mountSystemRoutes adds, all of them for reading. */
export const SYSTEM_ROUTES = ['/livez', '/readyz', '/metrics', '/openapi.json', '/docs'].map(
  (path) => ({ method: 'GET', path }) as const,
)

/** What every service answers beside its own routes: is it alive, is it ready, how is it doing, what can it do. */
export function mountSystemRoutes(
  app: Express,
  service: DescribedService,
  routes: readonly Route[],
  readiness: Readiness,
): void {
  let document: unknown
  const openApi = (): unknown => (document ??= openApiDocument(service, routes))

  app.get('/livez', (_req, res) => void res.json({ status: 'ok' }))
  app.get('/readyz', async (_req, res) => {
    const report = await readiness.report()
    res
      .status(report.ready ? 200 : 503)
      .set('Cache-Control', 'no-store')
      .json(report)
  })
  app.get('/metrics', async (_req, res) => {
    res.type('text/plain; version=0.0.4').send(await metricsText())
  })
  app.get('/openapi.json', (_req, res) => {
    setServerRoute('/openapi.json')
    res.json(openApi())
  })
  app.get(['/docs', '/docs/'], (_req, res) => {
    sendDocsPage(res, service.name)
  })
  app.get('/docs/start.js', (_req, res) => void res.type('text/javascript').send(START_SCRIPT))
  app.use('/docs', express.static(SWAGGER_UI, { index: false, maxAge: '1h' }))
}

/** Found without being loaded: the package's entry point would run its whole browser bundle. */
const require = createRequire(import.meta.url)
const SWAGGER_UI = dirname(require.resolve('swagger-ui-dist/package.json'))

const START_SCRIPT = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true })`

function sendDocsPage(res: Response, name: string): void {
  setServerRoute('/docs')
  res.set(
    'Content-Security-Policy',
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'",
  )
  res.type('html').send(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${name} API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>`)
}
