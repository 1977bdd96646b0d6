import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { dirname } from 'node:path'

/** Certificate and key are two files: a moment's wait lets their writer finish both. */
const SETTLE_MS = 50

/**
 * Calls `look` when something happens in the folders of `files`, and every `intervalMs` in any case: a folder that is
 * itself a link, a network file system or a used-up inotify tells of nothing. The folders are watched rather than the
 * files, since a file that is replaced by a rename or by Kubernetes' `..data` link takes its watch with it.
 */
export function watchFiles(files: readonly string[], intervalMs: number, look: () => void): () => void {
  let settling: NodeJS.Timeout | undefined
  const soon = (): void => {
    clearTimeout(settling)
    settling = setTimeout(look, SETTLE_MS)
    settling.unref()
  }
  const watchers = [...new Set(files.map((file) => dirname(file)))].flatMap((folder) =>
    tryWatch(folder, soon),
  )
  const timer = setInterval(look, intervalMs)
  timer.unref()
  return () => {
    clearTimeout(settling)
    clearInterval(timer)
    for (const watcher of watchers) watcher.close()
  }
}

function tryWatch(folder: string, changed: () => void): FSWatcher[] {
  try {
    const watcher = watch(folder, { persistent: false }, changed)
    watcher.on('error', () => {
      watcher.close()
    })
    return [watcher]
  } catch {
    return []
  }
}
