import type { DeclaredCollection } from '../collections-file.ts'
import { portIsFree, PortTakenError } from '../ports.ts'
import type { Secrets } from '../secrets.ts'
import { startFileMaker } from './emulator.ts'
import type { FileMakerEmulator } from './emulator.ts'
import { layoutsOf } from './layouts.ts'

/** The name of the file, in a folder of data. */
export const FILEMAKER_FILE = 'filemaker.json'

const DATABASE = 'Waybill'
const USERNAME = 'data_store'

/**
 * The platform's FileMaker: the emulator with a layout for each of the collections. What it keeps ends with it, unless there is a
 * file for it. Throws PortTakenError when `port` is taken, and an error that names the file when that is damaged.
 */
export async function startPlatformFileMaker(options: {
  secrets: Secrets
  collections: readonly DeclaredCollection[]
  /** Where its records stay between runs. */
  file?: string | undefined
  /** Any free one unless said. */
  port?: number | undefined
}): Promise<FileMakerEmulator> {
  const { secrets, collections, file, port } = options
  if (port !== undefined && !(await portIsFree(port)))
    throw new PortTakenError(port, 'FileMaker', 'FILEMAKER_PORT')
  return startFileMaker({
    layouts: layoutsOf(collections),
    ...{ database: DATABASE, username: USERNAME, password: passwordFrom(secrets) },
    ...(port === undefined ? {} : { port }),
    ...(file === undefined ? {} : { file }),
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
