/** `spiffe://<trust domain>/svc/<name>`, the name by which the certificate of a service says whose it is. */
export function spiffeId(trustDomain: string, service: string): string {
  return `spiffe://${trustDomain}/svc/${service}`
}

/** As SPIFFE-ID section 2 has it, and stricter: what could be read in two ways (case, port, dots, escapes) is no id. */
const SPIFFE_ID = /^spiffe:\/\/([a-z0-9][a-z0-9.-]*)\/svc\/([a-z0-9][a-z0-9_-]{0,62})$/

/** The service that `uri` names within `trustDomain`; undefined when it is anything else. */
export function serviceInSpiffeId(uri: string, trustDomain: string): string | undefined {
  const [, domain, service] = SPIFFE_ID.exec(uri) ?? []
  return domain === trustDomain ? service : undefined
}
