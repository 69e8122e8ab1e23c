import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** `PID COMMAND` of every live process whose arguments, environment or working folder name one of these texts. */
export async function processesNaming(texts: readonly string[]): Promise<readonly string[]> {
  const found: string[] = []
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue
    const dir = join('/proc', pid)
    const [words, variables, cwd] = await Promise.all([
      readFile(join(dir, 'cmdline'), 'utf8').catch(() => ''),
      readFile(join(dir, 'environ'), 'utf8').catch(() => ''),
      readlink(join(dir, 'cwd')).catch(() => ''),
    ])
    // Without arguments: it is dead already, and nobody asked how it ended.
    if (words === '' || !texts.some(text => `${words}\0${variables}\0${cwd}`.includes(text))) continue
    found.push(`${pid} ${words.replaceAll('\0', ' ').slice(0, 200)}`)
  }
  return found
}

/** Waits until no such process is left, at most `waitMs`; returns those that are. */
export async function leftProcesses(texts: readonly string[], waitMs = 10_000): Promise<readonly string[]> {
  const until = Date.now() + waitMs
  for (;;) {
    const left = await processesNaming(texts)
    if (left.length === 0 || Date.now() > until) return left
    await sleep(20)
  }
}
