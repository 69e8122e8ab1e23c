import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import type { Program } from '../../src/tools/command.js'

const listSchema = z.record(z.string(), z.object({ path: z.string(), sha256: z.string().optional() }))

/** A program that `toolchain/build.mjs` built for this test run; a test without it fails, it never skips. */
export function builtProgram(name: string): Program {
  const list = process.env['PORTCULLIS_TOOLCHAIN']
  if (list === undefined) {
    throw new Error('PORTCULLIS_TOOLCHAIN names no file: run the tests through `npm test`')
  }
  const path = listSchema.parse(JSON.parse(readFileSync(list, 'utf8')))[name]?.path
  if (path === undefined || !existsSync(path)) throw new Error(`${name} is not built: run \`npm test\``)
  return { name, path }
}

/** SHA-256 of bytes, hex. */
export function hexOf(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}
