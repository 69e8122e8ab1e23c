import { join, relative } from 'node:path'
import pc from 'picocolors'
import type { RunRecord } from '../record/record.js'
import { PLAIN, renderTerminal } from '../report/terminal.js'

/** Shows a finished record on a terminal, with where the files are. */
export function terminalSurface(
  target: { write(text: string): unknown; readonly isTTY?: boolean },
  colour: boolean,
): (record: RunRecord, reportDir: string) => Promise<void> {
  return (record, reportDir) => {
    target.write(`\n${renderTerminal(record, colour && target.isTTY === true ? pc : PLAIN)}\n`)
    const path = relative(process.cwd(), join(reportDir, 'portcullis.json'))
    target.write(`  Record: ${path}, summary.md beside it\n`)
    return Promise.resolve()
  }
}
