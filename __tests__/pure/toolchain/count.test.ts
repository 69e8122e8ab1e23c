import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { z } from 'zod'

const MODULE = resolve(dirname(fileURLToPath(import.meta.url)), '../../../toolchain/test/count.mjs')
const Counted = z.object({ passed: z.number(), failed: z.number(), problems: z.array(z.string()) })

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'count-test-'))
})

afterEach(() => {
  rmSync(dir, { recursive: true, force: true })
})

async function count(text: string | undefined, ok: boolean): Promise<z.infer<typeof Counted>> {
  const path = join(dir, 'report.json')
  if (text !== undefined) writeFileSync(path, text)
  const loaded: unknown = await import(pathToFileURL(MODULE).href)
  const countTests: unknown = Reflect.get(z.object({ countTests: z.unknown() }).parse(loaded), 'countTests')
  if (typeof countTests !== 'function') throw new Error('countTests is missing')
  return Counted.parse(Reflect.apply(countTests, undefined, [path, ok]))
}

function report(changes: Readonly<Record<string, number>>): string {
  const zero = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 }
  return JSON.stringify({ ...zero, numTotalTests: 0, numRuntimeErrorTestSuites: 0, ...changes })
}

test.each([
  ['all passed', report({ numTotalTests: 3, numPassedTests: 3 }), true, 3, 0],
  ['one failed', report({ numTotalTests: 3, numPassedTests: 2, numFailedTests: 1 }), false, 2, 1],
  ['one skipped', report({ numTotalTests: 3, numPassedTests: 2, numPendingTests: 1 }), true, 2, 1],
  ['one planned', report({ numTotalTests: 3, numPassedTests: 2, numTodoTests: 1 }), true, 2, 1],
  [
    'a file not run',
    report({ numTotalTests: 3, numPassedTests: 3, numRuntimeErrorTestSuites: 1 }),
    false,
    3,
    1,
  ],
  ['no test', report({}), true, 0, 1],
  ['no test file could be run', report({ numRuntimeErrorTestSuites: 2 }), false, 0, 3],
  ['a bad end with good tests', report({ numTotalTests: 3, numPassedTests: 3 }), false, 3, 1],
  ['no report', undefined, true, 0, 1],
  ['half a report', '{"numPassedTests":3,', true, 0, 1],
  ['a report of another shape', '{"numPassedTests":3}', true, 0, 1],
  ['a report that is no object', 'null', true, 0, 1],
])('%s', async (_, text, ok, passed, failed) => {
  const counted = await count(text, ok)
  expect(counted).toMatchObject({ passed, failed })
  expect(counted.problems.length > 0).toBe(failed > 0 && !/"numFailedTests":1/.test(text ?? ''))
})
