import { readFileSync } from 'node:fs'

/**
 * What one jest run, written with `--json --outputFile`, comes to: `{ passed, failed, problems }`. A test that was
 * skipped or is only planned counts as failed, as do a file that could not be run, a run without any test, and a
 * run whose report is missing or unreadable. `ok` is how the process itself ended.
 */
export function countTests(path, ok) {
  const report = read(path)
  if (report === undefined) return { passed: 0, failed: 1, problems: ['jest wrote no readable report'] }
  const { numPassedTests: passed, numTotalTests: total } = report
  const notRun = report.numPendingTests + report.numTodoTests
  const problems = [
    ...(total === 0 ? ['no test was found'] : []),
    ...(notRun > 0 ? [`${notRun} skipped or only planned: a test never skips`] : []),
    ...(report.numRuntimeErrorTestSuites > 0
      ? [`${report.numRuntimeErrorTestSuites} files could not be run`]
      : []),
  ]
  const counted = total - passed + report.numRuntimeErrorTestSuites + (total === 0 ? 1 : 0)
  if (counted === 0 && !ok)
    return { passed, failed: 1, problems: ['jest ended badly although no test failed'] }
  return { passed, failed: counted, problems }
}

const NUMBERS = [
  ...['numPassedTests', 'numTotalTests', 'numPendingTests', 'numTodoTests', 'numRuntimeErrorTestSuites'],
]

function read(path) {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8'))
    return NUMBERS.every(name => Number.isInteger(report?.[name])) ? report : undefined
  } catch {
    return undefined
  }
}
