import type { z } from 'zod'
import { env } from '../config.ts'

/** The variables of TLS, a part of serviceEnv(). Without TLS_CERT_FILE there is none: a proxy or nobody encrypts. */
export const tlsEnv = {
  TLS_CERT_FILE: env
    .text('')
    .describe(
      'The certificate of this service (PEM, leaf first), shown by its listener and in its calls; a new file is taken up without a restart',
    ),
  TLS_KEY_FILE: env.text('').describe('The private key of TLS_CERT_FILE (PEM); both or neither'),
  TLS_CA_FILE: env
    .text('')
    .describe('The CA certificates (PEM) that neighbours are believed by, callers and called alike'),
  TLS_LISTEN: env
    .flag(true)
    .describe('`false`: the certificate is for calls only and the listener speaks plain HTTP'),
  TLS_CLIENT_AUTH: env
    .choice(['off', 'optional', 'required'], 'off')
    .describe(
      'Client certificates: `required` ends the handshake without a good one, health probes included; `optional` judges the one that is shown',
    ),
  TLS_CONNECTION_MAX_AGE_SECONDS: env
    .int({ min: 1, max: 86_400, default: 3_600 })
    .describe('A connection older than this is ended with its next answer, in seconds'),
  TLS_RELOAD_INTERVAL_MS: env
    .int({ min: 50, max: 3_600_000, default: 5_000 })
    .describe('How often the TLS files are read again where the file system tells of no change, in ms'),
  SPIFFE_TRUST_DOMAIN: env
    .text('waybill.local')
    .refine((text) => /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(text), 'must be a lower-case domain name')
    .describe('Services are known by `spiffe://<trust domain>/svc/<name>` in their certificates'),
}

export type TlsConfig = z.output<z.ZodObject<typeof tlsEnv>>
