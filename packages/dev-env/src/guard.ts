import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'

/**
 * `read` ends in two ways: with a line, when the owner lets go, or at end of file, which the kernel delivers
 * when the owner is gone, however it went: no signal handler has to run for that, so SIGKILL is covered too.
 */
const SCRIPT = `
if read -r _; then exit 0; fi
kill -s "$2" "$1" 2>/dev/null
left=100
while [ "$left" -gt 0 ] && kill -0 "$1" 2>/dev/null; do sleep 0.1; left=$((left - 1)); done
kill -s KILL "$1" 2>/dev/null
if [ -n "$3" ]; then rm -rf -- "$3"; fi
`

export interface Guard {
  /** Lets go: from now on the process may outlive this one. Call it when the guarded process has ended. */
  release: () => void
}

/**
 * Sees to it that a process does not outlive this one, and that its folder goes with it. A shell of its own session
 * holds the other end of a pipe; when this process dies it sends `signal`, after 10 s SIGKILL, and removes `folder`.
 * POSIX only; elsewhere it does nothing.
 */
export function guardProcess(pid: number, signal: 'INT' | 'QUIT' | 'TERM', folder = ''): Guard {
  if (process.platform === 'win32') return { release: () => undefined }
  const guard = spawn('/bin/sh', ['-c', SCRIPT, 'waybill-guard', String(pid), signal, folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
    // A session of its own: Ctrl-C in the terminal must not take the guard before the one it guards.
    detached: true,
  })
  guard.on('error', () => undefined)
  guard.stdin.on('error', () => undefined)
  guard.unref()
  // Node types the pipe as a Writable; for spawn it is a socket, and it must not keep this process alive.
  const pipe = guard.stdin as Socket
  pipe.unref()
  return { release: () => void pipe.end('done\n') }
}
