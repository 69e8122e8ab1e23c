import { readFile } from 'node:fs/promises'
import { describeError, GateError } from '../errors.js'
import { parseRecord } from '../record/parse.js'
import { renderReport } from '../report/render.js'

/** Renders a record file in one format on standard output; resolves with 0, refuses what is no record. */
export async function reportRecord(path: string, format: string): Promise<number> {
  process.stdout.write(renderReport(parseRecord(await text(path)), format))
  return 0
}

async function text(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const message = `The record '${path}' cannot be read: ${describeError(cause)}. Give the path of a portcullis.json.`
    throw new GateError('config', { reason: 'record-unreadable', message, cause })
  }
}
