import { SERVICES, type ServiceName } from '@waybill/contracts'

/** Where each service listens in development unless its port variable says otherwise. */
const DEFAULT_PORTS = {
  gateway: 8080,
  'auth-service': 8005,
  'llm-proxy': 8002,
  docling: 5001,
  data_store: 8004,
  'work-platform': 3000,
  'substrate-api': 8001,
} satisfies Record<ServiceName, number>

/** Something for each of the seven services. */
export type PerService<T> = Record<ServiceName, T>

/** Builds a PerService value from a function of the name. */
export function perService<T>(valueOf: (service: ServiceName) => T): PerService<T> {
  // fromEntries cannot know that all names occur; SERVICES has them all.
  return Object.fromEntries(SERVICES.map((service) => [service, valueOf(service)])) as PerService<T>
}

/** Whether a text names one of the services. */
export function isServiceName(text: string): text is ServiceName {
  return Object.hasOwn(DEFAULT_PORTS, text)
}

/** The environment variable that moves a service to another port: `LLM_PROXY_PORT`. */
export function portVariable(service: ServiceName): string {
  return `${prefix(service)}_PORT`
}

/** The environment variable that tells others where a service is: `LLM_PROXY_URL`. */
export function urlVariable(service: ServiceName): string {
  return `${prefix(service)}_URL`
}

/** The ports of development: the defaults, or what `<NAME>_PORT` says. Throws on what is no port. */
export function developmentPorts(env: NodeJS.ProcessEnv): PerService<number> {
  return perService((service) => portFrom(env, portVariable(service)) ?? DEFAULT_PORTS[service])
}

/** The port in an environment variable; undefined when it is not set. Throws an error that names the variable. */
export function portFrom(env: NodeJS.ProcessEnv, variable: string): number | undefined {
  const text = env[variable]
  if (text === undefined || text === '') return undefined
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Error(`${variable} must be a port from 1 to 65535, not ${JSON.stringify(text)}.`)
  }
  return port
}

function prefix(service: ServiceName): string {
  return service.replaceAll('-', '_').toUpperCase()
}
