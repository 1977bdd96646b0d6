import { compare, ratio, table } from './compare.ts'

// What it costs to know who is calling, by a token that has been seen before, over bare Express 5; beside the same with a
// library that verifies every token anew.

const BARE = 'express 5'
const OURS = 'express 5 + @waybill/auth'
const PEER = 'express 5 + express-oauth2-jwt-bearer'

const rows = await compare({
  servers: new URL('servers/verification.ts', import.meta.url),
  variants: [BARE, OURS, PEER, 'service-kit + @waybill/auth'],
  rounds: 15,
  requestsPerSlice: 800,
  awake: true,
})
process.stdout.write(`1 KB of JSON, ES256, 32 warm connections, medians; ratios against ${BARE}\n`)
process.stdout.write(table(rows, BARE))
process.stdout.write(
  `@waybill/auth keeps ${ratio(rows, OURS, BARE).toFixed(3)} of bare throughput (0.85 is wanted) `,
)
process.stdout.write(
  `and does ${ratio(rows, OURS, PEER).toFixed(2)} times express-oauth2-jwt-bearer (1.7 is wanted)\n`,
)
