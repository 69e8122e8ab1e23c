import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { PreparedDatabase } from '../../../src/inspect/database.js'
import { type Bench, onlyPlatform, openBench } from '../../support/inspection.js'
import { makeLayout, type LayoutFile } from '../../support/layouts.js'
import { debianFiles, nodePackage, wheel } from '../../support/sample-image.js'
import { machinePath, makeDatabase, ROOT, run } from '../../support/tools.js'

let bench: Bench
let database: PreparedDatabase
beforeAll(async () => {
  bench = await openBench()
  database = await bench.database(await makeDatabase(join(bench.dir, 'db')))
})
afterAll(() => bench.close())

const answer = z.record(z.string(), z.array(z.string()))

/** What the libraries of SPDX and CycloneDX find wrong, by file name. */
async function faultsOf(files: readonly string[]): Promise<Readonly<Record<string, readonly string[]>>> {
  const script = join(ROOT, '__tests__', 'support', 'validate-sboms.py')
  const { stdout } = await run(machinePath('sbomPython'), [script, ...files])
  return answer.parse(JSON.parse(stdout))
}

const HOSTILE = [
  'a"b',
  "c'd",
  '<script>',
  'e\\\\f',
  'ünï',
  'x'.repeat(200),
  '$(id)',
  '../../up',
  'a b',
  '%00',
  '\u202eevil',
]

const IMAGES: Readonly<Record<string, readonly LayoutFile[]>> = {
  debian: debianFiles({ curl: '7.88.1-10', zlib1g: '1:1.2.13.dfsg-1' }),
  python: [...wheel('langchain', '0.0.170'), ...wheel('idna', '3.7')],
  npm: [...nodePackage('minimist', '1.2.5'), ...nodePackage('lodash', '4.17.21')],
  scratch: [],
  hostile: HOSTILE.flatMap((name, at) => [
    {
      path: `app/node_modules/h${at}/package.json`,
      content: JSON.stringify({ name, version: name, license: name, author: name }),
    },
    {
      path: `usr/lib/python3/dist-packages/h${at}-1.dist-info/METADATA`,
      content: `Metadata-Version: 2.1\nName: h${at}${name}\nVersion: 1\nLicense: ${name}\nAuthor: ${name}\n`,
    },
  ]),
}

async function layoutOf(name: string): Promise<string> {
  if (name === 'alpine') return join(ROOT, 'examples', 'app', 'layouts', 'fixed')
  const { dir } = await makeLayout(join(bench.dir, name), { layers: [{ files: IMAGES[name] ?? [] }] })
  return dir
}

test.each(['alpine', ...Object.keys(IMAGES)])(
  '%s: the SPDX and CycloneDX documents are valid',
  async name => {
    const inspection = await bench.inspect({ layoutDir: await layoutOf(name), database })
    const { sboms } = onlyPlatform(inspection)
    expect(sboms.state).toBe('present')
    if (sboms.state !== 'present') return
    for (const document of sboms.value.documents)
      expect([document.format, document.minimum?.packages]).toEqual([
        document.format,
        document.format === 'syft' ? undefined : document.packages,
      ])
    const files = ['spdx', 'cdx'].map(kind => join(inspection.reportDir, `sbom.linux-amd64.${kind}.json`))
    const faults = await faultsOf(files)
    expect(faults).toEqual(Object.fromEntries(files.map(file => [file, []])))
  },
)

test('what Syft 1.51.0 copies unchecked is known: a home page that is no URL is not valid SPDX', async () => {
  const content = JSON.stringify({ name: 'a', version: '1', homepage: 'no page' })
  const files = [{ path: 'app/node_modules/a/package.json', content }]
  const { dir } = await makeLayout(join(bench.dir, 'homepage'), { layers: [{ files }] })
  const { reportDir } = await bench.inspect({ layoutDir: dir, database })
  const faults = await faultsOf([join(reportDir, 'sbom.linux-amd64.spdx.json')])
  expect(Object.values(faults)).toEqual([['homepage must be a valid URL, but is: no page']])
})

test('a broken document is not valid: the validators look', async () => {
  const inspection = await bench.inspect({ layoutDir: await layoutOf('npm'), database })
  const broken = await Promise.all(
    [
      ['spdx', '"SPDXRef-DOCUMENT"', '"DOCUMENT"'],
      ['cdx', '"type":', '"kind":'],
    ].map(async ([kind = '', from = '', to = '']) => {
      const text = await readFile(join(inspection.reportDir, `sbom.linux-amd64.${kind}.json`), 'utf8')
      const file = join(bench.dir, `broken.${kind}.json`)
      await writeFile(file, text.replace(from, to))
      return file
    }),
  )
  for (const [file, faults] of Object.entries(await faultsOf(broken)))
    expect([file, faults.length > 0]).toEqual([file, true])
})
