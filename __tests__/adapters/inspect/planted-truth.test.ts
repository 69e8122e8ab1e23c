import { join } from 'node:path'
import pLimit from 'p-limit'
import type { PreparedDatabase } from '../../../src/inspect/database.js'
import type { Verdict } from '../../../src/policy/verdict.js'
import { type Bench, openBench } from '../../support/inspection.js'
import { judged } from '../../support/judged.js'
import { makeLayout } from '../../support/layouts.js'
import { type Kind, KINDS, plantedLayers, type Way, WAYS } from '../../support/planted-packages.js'
import { makeDatabase } from '../../support/tools.js'

interface Cell {
  readonly found: number
  readonly planted: number
  readonly outcome: Verdict['outcome']
  /** Enforced rules that failed or could not be answered. */
  readonly rules: readonly string[]
  /** What `inventory.hidden` names. */
  readonly hidden: readonly string[]
}

// Rules of the profile that say of an image that packages may be hidden in it.
const SAY_HIDDEN: ReadonlySet<string> = new Set(['inventory.links', 'inventory.hidden', 'inventory.os'])
const cells = new Map<string, Cell>()
let bench: Bench
let database: PreparedDatabase

const key = (kind: Kind, way: Way): string => `${kind.name}: ${way}`

async function look(kind: Kind, way: Way): Promise<Cell | undefined> {
  const layers = plantedLayers(kind, way)
  if (layers === undefined) return undefined
  const { dir } = await makeLayout(join(bench.dir, key(kind, way).replaceAll(/\W+/g, '-')), {
    layers: layers.map(files => ({ files })),
    config: { User: '65532' },
  })
  const { verdict, evidence, rule } = await judged(bench, database, dir)
  const { vulnerabilities } = evidence
  const findings = vulnerabilities.state === 'present' ? vulnerabilities.value.findings : []
  const found = kind.packages.filter(({ name, version, advisory }) =>
    findings.some(
      one => one.id === advisory && one.purl.replace(/\?.*/, '') === `${kind.purl}${name}@${version}`,
    ),
  )
  const stopped = verdict.results.filter(
    one => one.mode === 'enforce' && (one.outcome === 'fail' || one.outcome === 'unknown'),
  )
  return {
    ...{ found: found.length, planted: kind.packages.length, outcome: verdict.outcome },
    rules: stopped.map(one => one.rule),
    hidden: rule('inventory.hidden').violations.map(one => one.thing),
  }
}

beforeAll(async () => {
  bench = await openBench()
  database = await bench.database(await makeDatabase(join(bench.dir, 'db')))
  const limit = pLimit(2)
  await Promise.all(
    KINDS.flatMap(kind =>
      WAYS.map(way =>
        limit(async () => {
          const cell = await look(kind, way)
          if (cell !== undefined) cells.set(key(kind, way), cell)
        }),
      ),
    ),
  )
}, 1_200_000)

afterAll(async () => {
  process.stdout.write(table())
  await bench.close()
})

function words(cell: Cell): string {
  const hidden = cell.rules.filter(rule => SAY_HIDDEN.has(rule)).map(rule => rule.replace('inventory.', ''))
  const count = `${cell.found} of ${cell.planted} found`
  return `${count}, ${cell.outcome}${hidden.length > 0 ? ` (${hidden.join(', ')})` : ''}`
}

function table(): string {
  const names = KINDS.map(kind => kind.name.padEnd(44)).join('')
  const rows = WAYS.map(way => {
    const row = KINDS.map(kind => {
      const cell = cells.get(key(kind, way))
      return (cell === undefined ? '-' : words(cell)).padEnd(44)
    })
    return `${way.padEnd(36)}${row.join('')}`.trimEnd()
  })
  return `\nPlanted truth\n${''.padEnd(36)}${names.trimEnd()}\n${rows.join('\n')}\n\n`
}

const PAIRS = KINDS.flatMap(kind =>
  WAYS.flatMap(way => (plantedLayers(kind, way) === undefined ? [] : [[kind, way] as const])),
).map(([kind, way]) => [key(kind, way), kind, way] as const)

test.each(PAIRS)('%s: all are found, or the verdict says that some may be hidden', (name, kind) => {
  const cell = cells.get(name)
  if (cell === undefined) throw new Error('nothing was looked at')
  const all = cell.found === kind.packages.length
  const said = cell.outcome === 'incomplete' || cell.rules.some(rule => SAY_HIDDEN.has(rule))
  expect([cell, all || said]).toEqual([cell, true])
  expect(cell.outcome).not.toBe('pass')
})

// In these ways every package is found, and nothing else stops the image.
const FOUND: readonly Way[] = [
  ...(['regular', 'hard link', 'symbolic link', 'linked folder'] as const),
  'files forged into a system package',
]
// In these ways the packages themselves are gone from every inventory, and the rule names them.
const HIDDEN: readonly Way[] = ['record deleted later', 'database deleted last', 'database replaced last']

test.each(PAIRS.filter(([, , way]) => FOUND.includes(way)))('%s: all are found', (name, kind) => {
  expect(cells.get(name)).toEqual({
    ...{ found: kind.packages.length, planted: kind.packages.length, outcome: 'fail' },
    ...{ rules: ['vulnerability.severity'], hidden: [] },
  })
})

test.each(PAIRS.filter(([, , way]) => HIDDEN.includes(way)))('%s: all are named', (name, kind) => {
  const named = kind.packages.map(one => `${one.name} ${one.version}`)
  expect(cells.get(name)?.hidden).toEqual(expect.arrayContaining(named))
})
