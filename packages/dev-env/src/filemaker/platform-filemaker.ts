import { readFileSync } from 'node:fs'
import { portIsFree, PortTakenError } from '../ports.ts'
import type { Secrets } from '../secrets.ts'
import { startFileMaker } from './emulator.ts'
import type { FileMakerEmulator } from './emulator.ts'
import { layoutsOf } from './layouts.ts'
import type { DeclaredCollection } from './layouts.ts'

const DATABASE = 'Waybill'
const USERNAME = 'data_store'

/**
 * The platform's FileMaker: the emulator with a layout for each collection of the file. What it keeps ends with it. Throws
 * PortTakenError when `port` is taken.
 */
export async function startPlatformFileMaker(options: {
  secrets: Secrets
  /** COLLECTIONS_FILE */
  collectionsFile: string
  /** Any free one unless said. */
  port?: number | undefined
}): Promise<FileMakerEmulator> {
  const { secrets, collectionsFile, port } = options
  if (port !== undefined && !(await portIsFree(port)))
    throw new PortTakenError(port, 'FileMaker', 'FILEMAKER_PORT')
  // data_store checks the whole of it at its start.
  const { collections } = JSON.parse(readFileSync(collectionsFile, 'utf8')) as {
    collections: DeclaredCollection[]
  }
  return startFileMaker({
    layouts: layoutsOf(collections),
    ...{ database: DATABASE, username: USERNAME, password: passwordFrom(secrets) },
    ...(port === undefined ? {} : { port }),
  })
}

/** What data_store is told of the FileMaker at `url`. */
export function fileMakerSettings(url: string, secrets: Secrets): Record<string, string> {
  return {
    FILEMAKER_URL: url,
    FILEMAKER_DATABASE: DATABASE,
    FILEMAKER_USERNAME: USERNAME,
    FILEMAKER_PASSWORD: passwordFrom(secrets),
  }
}

function passwordFrom(secrets: Secrets): string {
  return secrets.databasePassword('filemaker')
}
