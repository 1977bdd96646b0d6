import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openCertificates } from '../certs/certificates.ts'
import { stateFolder } from '../folders.ts'

const USAGE = `npm run certs                     a CA and a certificate per service; what is still good is kept
npm run certs -- rotate           a new certificate for every service
npm run certs -- rotate-ca        a new CA, believed beside the old one, and certificates of it
npm run certs -- retire-ca        the old CA is no longer believed
Options: --out <folder>           where they lie (.waybill/certs)
         --trust-domain <domain>  waybill.local unless said
         --settle <seconds>       how long running services get to read a change before the next (10)
`

// Safe beside running services: they watch the folder, and each step is one that both old and new certificates survive.
try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: 'string' },
      'trust-domain': { type: 'string' },
      settle: { type: 'string', default: '10' },
    },
  })
  const [command = 'ensure', ...rest] = positionals
  const settleMs = Number(values.settle) * 1000
  if (rest.length > 0 || !Number.isFinite(settleMs) || settleMs < 0) throw new Error(USAGE)
  const certificates = openCertificates({
    folder: values.out ?? join(stateFolder(), 'certs'),
    ...(values['trust-domain'] !== undefined && { trustDomain: values['trust-domain'] }),
  })
  const say = (text: string): void => void process.stdout.write(`${text}\n`)
  const settle = async (): Promise<void> => {
    say(`Waiting ${settleMs / 1000} s for services to read it ...`)
    await delay(settleMs)
  }
  const steps: Record<string, () => Promise<void>> = {
    ensure: async () => {
      const made = await certificates.ensure()
      say(made.length > 0 ? `New certificates: ${made.join(', ')}.` : 'All certificates are still good.')
    },
    rotate: async () => {
      await certificates.renew()
      say('Every service has a new certificate.')
    },
    'rotate-ca': async () => {
      await certificates.addAuthority()
      say('A new CA is believed beside the old one.')
      await settle()
      await certificates.renew()
      say('Every service has a certificate of it. When all have read theirs: retire-ca.')
    },
    'retire-ca': async () => {
      await settle()
      await certificates.retireAuthorities()
      say('Only the CA that signs is believed now.')
    },
  }
  const step = Object.hasOwn(steps, command) ? steps[command] : undefined
  if (!step) throw new Error(USAGE)
  await step()
  say(`They lie in ${certificates.files.folder}; TLS_CA_FILE is ${certificates.files.bundle}.`)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
