import { startPostgres } from '@waybill/dev-env'
import { createTestIssuer } from '@waybill/dev-env/testing'
import { loadConfig } from '@waybill/service-kit'
import { createApp as substrate } from '../../substrate-api/src/app.ts'
import { configSchema as substrateSchema } from '../../substrate-api/src/config.ts'
import { createApp as work } from '../src/app.ts'
import { configSchema as workSchema } from '../src/config.ts'
import { startTokenEndpoint } from '../test/stand-ins.ts'
const pgs = await startPostgres({ services: ['work-platform', 'substrate-api'] })
const issuer = await createTestIssuer()
const tokens = await startTokenEndpoint(issuer)
const common = { LOG_LEVEL: 'warn', SERVICE_SECRET: 's', AUTH_SERVICE_URL: tokens.url, PORT: '0' }
const sEnv = { ...common, DATABASE_URL: pgs.url('substrate-api'), DATABASE_MIGRATION_URL: pgs.migrationUrl('substrate-api') }
const s = substrate(loadConfig(substrateSchema, sEnv), { keys: issuer.keys })
const sAt = await s.listen(); await s.start()
const w = work(loadConfig(workSchema, { ...common, SUBSTRATE_API_URL: sAt.url, RECONCILE_INTERVAL_MS: '100', DATABASE_URL: pgs.url('work-platform'), DATABASE_MIGRATION_URL: pgs.migrationUrl('work-platform') }), { keys: issuer.keys })
const wAt = await w.listen(); await w.start()
const token = await issuer.userToken('alice')
const call = async (method: string, path: string, body?: unknown, h = {}) => {
  const t = performance.now()
  const r = await fetch(wAt.url + path, { method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...h }, ...(body ? { body: JSON.stringify(body) } : {}) })
  const text = await r.text()
  console.log(method, path, r.status, r.headers.get('retry-after') ?? '', `${(performance.now() - t).toFixed(1)} ms`, text.slice(0, 330))
  return text ? JSON.parse(text) : undefined
}
const ws = await call('POST', '/api/workspaces', { name: 'Team' })
const p = await call('POST', '/api/projects', { workspace_id: ws.id, name: 'Atlas' }, { 'idempotency-key': 'k1' })
await call('POST', '/api/projects', { workspace_id: ws.id, name: 'Atlas' }, { 'idempotency-key': 'k1' })
await call('POST', '/api/projects', { name: 'Personal one' })
await call('GET', `/api/projects?workspace_id=${ws.id}`)
await call('GET', `/api/projects/${p.id}`)
const t0 = performance.now()
for (let i = 0; i < 200; i++) await fetch(wAt.url + '/api/projects', { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify({ workspace_id: ws.id, name: `n${i}` }) }).then((r) => r.text())
console.log('create ms each', (performance.now() - t0) / 200)
const t1 = performance.now()
for (let i = 0; i < 200; i++) await fetch(wAt.url + `/api/projects?limit=100&workspace_id=${ws.id}`, { headers: { authorization: `Bearer ${token}` } }).then((r) => r.text())
console.log('list of 100 ms each', (performance.now() - t1) / 200)
await call('GET', `/api/projects?limit=1&workspace_id=${ws.id}`)
await s.close()
await call('POST', '/api/projects', { workspace_id: ws.id, name: 'Never' })
await call('GET', `/api/projects?limit=1&workspace_id=${ws.id}`)
await call('GET', `/api/projects/${p.id}`)
await call('DELETE', `/api/projects/${p.id}`)
const s2 = substrate(loadConfig(substrateSchema, { ...sEnv, PORT: String(sAt.port) }), { keys: issuer.keys })
await s2.listen(); await s2.start()
await call('GET', `/api/projects/${p.id}`)
await call('DELETE', `/api/projects/${p.id}`)
await call('GET', `/api/projects/${p.id}`)
await w.close(); await s2.close(); await tokens.stop(); await pgs.close()
