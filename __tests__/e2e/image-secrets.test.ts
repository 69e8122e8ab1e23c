import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formsOf } from '../support/environment-watch.js'
import {
  openBench,
  policyText,
  recordOf,
  runGate,
  type Bench,
  type GateResult,
} from '../support/gate-runs.js'
import { makeLayout, type LayoutImage } from '../support/layouts.js'
import { freshToken, wheel } from '../support/sample-image.js'
import { mustEndWith, portcullis } from '../support/terminal.js'

/** One place of the image, what the report calls it, and the token that is planted there. */
interface Plant {
  readonly path: string
  readonly token: string
}

const plants = (...paths: readonly string[]): readonly Plant[] =>
  paths.map(path => ({ path, token: freshToken() }))

const FILES = plants(
  ...['app/tests/unit.py', 'usr/share/app/a.conf', 'app/vendor/lib/c.txt', 'app/node_modules/x/config.js'],
  ...['usr/local/lib/python3.11/site-packages/x/keys.py', 'app/README.md', 'app/logo.png', 'app/program'],
)
const [REMOVED, ENV, LABEL, ARGUMENT, COMMAND] = [
  ...plants('app/removed', 'image configuration: ENV API_TOKEN', 'image configuration: label org.example.by'),
  ...plants('image configuration: history 3', 'image configuration: CMD'),
]
const ALL = [...FILES, REMOVED, ENV, LABEL, ARGUMENT, COMMAND].flatMap(one =>
  one === undefined ? [] : [one],
)
const tokenOf = (plant: Plant | undefined): string => plant?.token ?? ''

let bench: Bench
let result: GateResult

function image(): LayoutImage {
  const before = (path: string): string => (path === 'app/program' ? '\0\x01\x02ELF\0' : '')
  const files = FILES.map(({ path, token }) => ({ path, content: `${before(path)}token = ${token}\n` }))
  return {
    layers: [
      {
        files: [
          ...wheel('idna', '3.7'),
          { path: 'app/removed', content: `token = ${tokenOf(REMOVED)}\n` },
          { path: 'etc/passwd', content: 'root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n' },
        ],
      },
      { files: [{ path: 'app/.wh.removed', content: '' }, ...files] },
      {
        files: [
          { path: 'app/linked', type: 'link', linkname: 'app/logo.png' },
          { path: 'app/logo.png', content: 'gone from here' },
        ],
        createdBy: `RUN |1 API_TOKEN=${tokenOf(ARGUMENT)} /bin/sh -c make # buildkit`,
      },
    ],
    config: {
      User: '1000',
      Env: [`API_TOKEN=${tokenOf(ENV)}`],
      Labels: { 'org.example.by': `by ${tokenOf(LABEL)}` },
      Cmd: ['serve', `--token=${tokenOf(COMMAND)}`],
    },
  }
}

beforeAll(async () => {
  bench = await openBench()
  const dir = await bench.folder('project')
  await mkdir(join(dir, '.github'))
  await writeFile(join(dir, '.github', 'portcullis.yml'), policyText())
  const layout = join(dir, 'layout')
  await makeLayout(layout, image())
  result = await runGate(bench, { dir, layout }, { repository: 'leaky' })
}, 600_000)

afterAll(async () => {
  await bench.close()
})

it('is refused, for every place; nothing is pushed', async () => {
  mustEndWith(1, result)
  const record = recordOf(result)
  const found = record.verdict?.results.find(one => one.rule === 'secret.found')
  expect(found?.violations.map(one => one.imagePath).toSorted()).toEqual(ALL.map(one => one.path).toSorted())
  expect(record.problems).toEqual([])
  expect(record.secretSearch?.searched).toBeGreaterThan(FILES.length)
  expect(await bench.registry.catalog()).not.toContain('leaky')
})

it('the summary says what was searched', async () => {
  const summary = await readFile(join(result.reportDir, 'summary.md'), 'utf8')
  expect(summary).toMatch(/Searched for secrets \| `\d+ files/)
})

it('no value is in the output, the annotations or any file that is left', async () => {
  const texts: (readonly [string, string])[] = [
    ['stdout', result.stdout],
    ['stderr', result.stderr],
  ]
  for (const format of ['annotations', 'summary', 'terminal', 'json']) {
    const shown = await portcullis(
      ['report', join(result.reportDir, 'portcullis.json'), '--format', format],
      {
        cwd: result.reportDir,
        env: { PATH: '/usr/bin:/bin', HOME: result.home, TMPDIR: result.tmp },
      },
    )
    mustEndWith(0, shown)
    texts.push([format, `${shown.stdout}${shown.stderr}`])
  }
  for (const dir of [result.reportDir, result.tmp, result.home]) {
    for (const name of await readdir(dir, { recursive: true })) {
      const path = join(dir, name)
      if (!(await stat(path)).isFile()) continue
      const text = await readFile(path, 'latin1')
      const packed = text.match(/[A-Za-z0-9+/]{64,}/g) ?? []
      texts.push([name, text], ...packed.map(part => [name, Buffer.from(part, 'base64').toString()] as const))
    }
  }
  expect(texts.length).toBeGreaterThan(12)
  const seen = ALL.flatMap(({ path, token }) =>
    texts
      .filter(([, text]) => formsOf(token).some(form => text.includes(form)))
      .map(([where]) => [path, where]),
  )
  expect(seen).toEqual([])
})
