import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderReport } from '../../../src/report/render.js'
import { ENDINGS } from '../../support/record-endings.js'

const FOLDER = '__tests__/fixtures/golden'
/** `UPDATE_GOLDENS=1 npm run jest -- __tests__/pure/report/goldens.test.ts` writes them anew. */
const UPDATE = process.env['UPDATE_GOLDENS'] === '1'
const FILES = { summary: 'md', annotations: 'txt', terminal: 'txt' } as const

const cases = Object.entries(ENDINGS).flatMap(([ending, record]) =>
  Object.entries(FILES).map(([format, suffix]) => {
    return { ending, format, record, file: join(FOLDER, `${ending}.${format}.${suffix}`) }
  }),
)

describe('the reports, whole', () => {
  it.each(cases)('$ending as $format', ({ record, format, file }) => {
    const text = renderReport(record, format)
    if (UPDATE) {
      mkdirSync(FOLDER, { recursive: true })
      writeFileSync(file, text)
    }
    expect(existsSync(file)).toBe(true)
    expect(text).toBe(readFileSync(file, 'utf8'))
  })
})
