import { SERVICES } from '@waybill/contracts'
import { freePorts, portIsFree, PortTakenError } from '../ports.ts'
import { portFrom, portVariable, type PerService } from '../services.ts'

/** Ports by number, of services and of the platform's own parts. */
export type PlatformPorts = Partial<PerService<number>> & {
  /** Where substrate-api speaks gRPC. */
  grpc?: number
  postgres?: number
  postgrest?: number
  filemaker?: number
  llmUpstream?: number
  traces?: number
}

export interface ChosenPorts {
  services: PerService<number>
  grpc: number
  postgres: number | undefined
  postgrest: number | undefined
  filemaker: number | undefined
  llmUpstream: number | undefined
  traces: number | undefined
}

/**
 * A port for each service: the one asked for, else a free one; no two the same. Throws PortTakenError for the first
 * that was asked for and is taken, so that nothing starts which could not finish.
 */
export async function choosePorts({
  grpc: wantedGrpc,
  postgres,
  postgrest,
  filemaker,
  llmUpstream,
  traces,
  ...wanted
}: PlatformPorts): Promise<ChosenPorts> {
  for (const service of SERVICES) {
    const port = wanted[service]
    if (port !== undefined && !(await portIsFree(port))) {
      throw new PortTakenError(port, service, portVariable(service))
    }
  }
  if (wantedGrpc !== undefined && !(await portIsFree(wantedGrpc))) {
    throw new PortTakenError(wantedGrpc, 'gRPC of substrate-api', 'GRPC_PORT')
  }
  const asked = [
    wantedGrpc,
    postgres,
    postgrest,
    filemaker,
    llmUpstream,
    traces,
    ...Object.values(wanted),
  ].filter((port) => port !== undefined)
  const free = await freePorts(SERVICES.length + 1, asked)
  const services = SERVICES.map((service, index) => [service, wanted[service] ?? free[index]] as const)
  const grpc = wantedGrpc ?? free.at(-1) ?? 0
  // There are more free ports than services, so none of them is undefined.
  return {
    services: Object.fromEntries(services) as PerService<number>,
    grpc,
    postgres,
    postgrest,
    filemaker,
    llmUpstream,
    traces,
  }
}

/** The ports that the environment asks for: `GATEWAY_PORT`, ..., `GRPC_PORT`, `POSTGRES_PORT`, `POSTGREST_PORT`, `FILEMAKER_PORT`, `LLM_UPSTREAM_PORT`, `TRACES_PORT`. Throws on what is no port. */
export function portsFromEnvironment(env: NodeJS.ProcessEnv): PlatformPorts {
  const entries = [
    ...SERVICES.map((service) => [service, portVariable(service)] as const),
    ['grpc', 'GRPC_PORT'] as const,
    ['postgres', 'POSTGRES_PORT'] as const,
    ['postgrest', 'POSTGREST_PORT'] as const,
    ['filemaker', 'FILEMAKER_PORT'] as const,
    ['llmUpstream', 'LLM_UPSTREAM_PORT'] as const,
    ['traces', 'TRACES_PORT'] as const,
  ].flatMap(([name, variable]) => {
    const port = portFrom(env, variable)
    return port === undefined ? [] : [[name, port] as const]
  })
  return Object.fromEntries(entries)
}
