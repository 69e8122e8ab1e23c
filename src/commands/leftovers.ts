import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, resolve } from 'node:path'
import { describeError, GateError } from '../errors.js'
import { readState } from '../github/runner.js'

/** Under this name main keeps the path of its private folder for the post step. */
export const WORK_DIR_STATE = 'work-dir'

/** The post step: removes what a killed main step left behind. Never touches anything but our own folder. */
export async function removeLeftovers(): Promise<void> {
  const workDir = readState(WORK_DIR_STATE)
  if (dirname(workDir) !== resolve(tmpdir()) || !/^portcullis-[A-Za-z0-9]{6}$/.test(basename(workDir))) return
  try {
    await rm(workDir, { recursive: true, force: true })
  } catch (thrown) {
    throw new GateError('tool', {
      reason: 'leftovers',
      message: `A private folder was left: ${describeError(thrown)}`,
    })
  }
}
