import { join } from 'node:path'
import { FILEMAKER_FILE } from '../filemaker/platform-filemaker.ts'
import { stateFolder } from '../folders.ts'
import { providersFileFor, wantsVendorsAtMock } from '../llm-upstream/providers-file.ts'
import { databaseName } from '../postgres/roles.ts'
import { postgresUrl } from '../postgres/start.ts'
import { postgrestBinary } from '../postgrest/binary.ts'
import { loadSecrets, type Secrets } from '../secrets.ts'
import { serviceEnvironments, type Environment } from '../service-environment.ts'
import { developmentPorts, perService, portFrom, type PerService } from '../services.ts'

/** The platform of `npm run dev`: known without anything running, so that its processes start in no order. */
export interface Development {
  urls: PerService<string>
  ports: PerService<number> & {
    postgres: number
    postgrest: number
    filemaker: number
    llmUpstream: number
    traces: number
  }
  environments: PerService<Environment>
  secrets: Secrets
  /** Folder of the database cluster. */
  postgresFolder: string
  /** What the FileMaker emulator keeps. */
  fileMakerFile: string
}

const POSTGRES_PORT = 54_329
const POSTGREST_PORT = 54_330
const FILEMAKER_PORT = 54_331
const LLM_UPSTREAM_PORT = 54_332
const TRACES_PORT = 4318

/** Fixed ports unless `<NAME>_PORT` says otherwise; secrets and data in the state folder. Throws on what is no port. */
export function development(env: NodeJS.ProcessEnv): Development {
  const folder = stateFolder()
  const secrets = loadSecrets(folder)
  const services = developmentPorts(env)
  const postgres = portFrom(env, 'POSTGRES_PORT') ?? POSTGRES_PORT
  const postgrest = portFrom(env, 'POSTGREST_PORT') ?? POSTGREST_PORT
  const filemaker = portFrom(env, 'FILEMAKER_PORT') ?? FILEMAKER_PORT
  const llmUpstream = portFrom(env, 'LLM_UPSTREAM_PORT') ?? LLM_UPSTREAM_PORT
  const llmUpstreamUrl = `http://127.0.0.1:${llmUpstream}`
  const traces = portFrom(env, 'TRACES_PORT') ?? TRACES_PORT
  const urls = perService((service) => `http://127.0.0.1:${services[service]}`)
  const urlOf = (service: string, suffix: string) => {
    const database = databaseName(service)
    const role = `${database}${suffix}`
    return postgresUrl({ role, password: secrets.databasePassword(role), port: postgres, database })
  }
  const environments = serviceEnvironments(
    {
      urls,
      secrets,
      postgres: {
        url: (service) => urlOf(service, ''),
        migrationUrl: (service) => urlOf(service, '_owner'),
      },
      traces: `http://127.0.0.1:${traces}`,
      grpcPort: portFrom(env, 'GRPC_PORT'),
      dataDir: folder,
      supabaseUrl: postgrestBinary() === undefined ? undefined : `http://127.0.0.1:${postgrest}`,
      fileMakerUrl: `http://127.0.0.1:${filemaker}`,
      providers: {
        file: providersFileFor(env, folder, llmUpstreamUrl),
        ...(wantsVendorsAtMock(env) && { vendorsAt: llmUpstreamUrl }),
      },
      relaxedLimits: true,
    },
    env,
  )
  return {
    urls,
    ports: { ...services, postgres, postgrest, filemaker, llmUpstream, traces },
    environments,
    secrets,
    postgresFolder: join(folder, 'postgres'),
    fileMakerFile: join(folder, FILEMAKER_FILE),
  }
}
