import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { freePort, portIsFree, PortTakenError } from '../ports.ts'
import { postgresBinaries } from './binaries.ts'
import { ephemeralFolder, persistentFolder } from './places.ts'
import { unprivilegedUser } from './run-as.ts'
import { PostgresStartError, startServer, type ServerOptions, type Server } from './server.ts'
import { createCluster, superuserPassword } from './template.ts'

export interface ClusterOptions {
  dataDir?: string
  port?: number
  log: (line: string) => void
}

export interface Cluster {
  port: number
  pid: number
  password: string
  close: () => Promise<void>
}

/** How often another process may take the free port between our finding it and PostgreSQL's binding it. */
const PORT_ATTEMPTS = 5

/**
 * An empty cluster, running; `password` is that of its superuser `postgres`. With a dataDir the one that is there, or
 * a new one. Throws PortTakenError for a port asked for, PostgresStartError when the server does not come up.
 */
export async function startCluster({ dataDir, port, log }: ClusterOptions): Promise<Cluster> {
  await assertFree(port)
  const runAs = unprivilegedUser()
  const binaries = postgresBinaries(runAs)
  const ephemeral = dataDir === undefined
  const folder = ephemeral
    ? mkdtempSync(join(ephemeralFolder(runAs), 'postgres-'))
    : persistentFolder(resolve(dataDir), runAs)
  const discard = () => {
    if (ephemeral) rmSync(folder, { recursive: true, force: true })
  }
  try {
    if (!ephemeral) log(`data are in ${folder}`)
    if (!existsSync(join(folder, 'PG_VERSION'))) createCluster(folder, binaries, runAs)
    const started = await startOnPort(port, { binaries, runAs, folder, ephemeral, log })
    const close = async () => {
      await started.server.stop()
      discard()
    }
    return { port: started.port, pid: started.server.pid, password: superuserPassword(folder), close }
  } catch (error) {
    discard()
    throw error
  }
}

async function startOnPort(
  wanted: number | undefined,
  options: Omit<ServerOptions, 'port'>,
): Promise<{ server: Server; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = wanted ?? (await freePort())
    try {
      return { port, server: await startServer({ ...options, port }) }
    } catch (error) {
      const lostRace =
        error instanceof PostgresStartError && error.lines.some((line) => line.includes('could not bind'))
      if (!lostRace || wanted !== undefined || attempt === PORT_ATTEMPTS) throw error
    }
  }
}

async function assertFree(port: number | undefined): Promise<void> {
  if (port !== undefined && !(await portIsFree(port)))
    throw new PortTakenError(port, 'PostgreSQL', 'POSTGRES_PORT')
}
