import { startPostgres } from '@waybill/dev-env'
import { spawn } from 'node:child_process'
const p = await startPostgres({ services: ['data_store'] })
const env = { ...process.env, DATABASE_URL: p.url('data_store'), DATABASE_MIGRATION_URL: p.migrationUrl('data_store'), LANCEDB_PATH: '/tmp/wbdb/ldb', SERVICE_SECRET: 'x', PORT: '18104' }
const run = (more = {}) => { const c = spawn(process.execPath, ['--import', '@waybill/telemetry/register', 'src/main.ts'], { cwd: '/work/main/apps/data_store', env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] }); let out = ''; c.stdout.on('data', (d) => { out += d }); c.stderr.on('data', (d) => { out += d }); return { c, out: () => out, end: new Promise((r) => c.once('exit', (code, sig) => r([code, sig]))) } }
const ready = async () => { for (;;) { try { const r = await fetch('http://127.0.0.1:18104/readyz'); if (r.status === 200) return } catch {} await new Promise((r) => setTimeout(r, 50)) } }
const t = performance.now()
const a = run(); await ready(); console.log('ready ms', performance.now() - t)
for (const path of ['/readyz', '/v1/backends', '/openapi.json', '/nope']) { const r = await fetch('http://127.0.0.1:18104' + path); console.log(path, r.status, (await r.text()).slice(0, 200)) }
const tok = await fetch('http://127.0.0.1:18104/v1/backends', { headers: { authorization: 'Bearer a.b.c' } }); console.log(tok.status, await tok.text(), tok.headers.get('retry-after'))
const b = run(); console.log('second on same port', await b.end, b.out().split('\n').slice(-3).join('|'))
a.c.kill('SIGTERM'); console.log('term', await a.end); console.log(a.out().slice(0, 1500))
const su = run({ DATABASE_URL: p.adminUrl.replace(/\/postgres$/, '/data_store') }); console.log('superuser', await su.end, su.out())
const miss = run({ DATABASE_URL: '', SERVICE_SECRET: '' }); console.log('missing', await miss.end, miss.out())
await p.close()
