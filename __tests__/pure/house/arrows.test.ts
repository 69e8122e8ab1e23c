import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '..', '..', '..')
const CRUISE = join(ROOT, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs')
const PARTS = ['src', 'data/os-releases.json', 'tsconfig.json', 'package.json', '.dependency-cruiser.cjs']

let house: string

beforeAll(() => {
  house = mkdtempSync(join(tmpdir(), 'portcullis-house-'))
  for (const part of PARTS) cpSync(join(ROOT, part), join(house, part), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(house, 'node_modules'))
})

afterAll(() => rmSync(house, { recursive: true, force: true }))

function cruise(): { readonly code: number | null; readonly text: string } {
  const done = spawnSync(process.execPath, [CRUISE, '--config', '.dependency-cruiser.cjs', 'src'], {
    cwd: house,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  })
  return { code: done.status, text: `${done.stdout}${done.stderr}` }
}

/** Each wrong import in a file of its own, and the rule that must name it. */
const PLANTED = [
  ['a pure room reads files', 'src/policy/planted-io.ts', "import 'node:fs'\n", 'pure-rooms-do-no-io'],
  [
    'a pure room knows the runner',
    'src/report/planted.ts',
    "import '@actions/core'\n",
    'pure-rooms-know-no-runner',
  ],
  [
    'evidence knows the policy',
    'src/evidence/planted.ts',
    "import '../policy/evaluate.js'\n",
    'pure-evidence',
  ],
  ['a stage imports a stage', 'src/inspect/planted.ts', "import '../release/release.js'\n", 'stage-inspect'],
  ['an adapter imports a stage', 'src/oci/planted.ts', "import '../build/docker.js'\n", 'adapter-oci'],
  [
    'an adapter imports an adapter',
    'src/registry/planted.ts',
    "import '../tools/crane.js'\n",
    'adapter-registry',
  ],
  [
    'processes start elsewhere',
    'src/build/planted.ts',
    "import 'node:child_process'\n",
    'one-place-starts-processes',
  ],
  ['a file lies in no room', 'src/helpers.ts', "import './errors.js'\n", 'known-rooms-only'],
  ['nobody uses a file', 'src/policy/planted.ts', 'export const a = 1\n', 'no-dead-file'],
  ['two files import each other', 'src/policy/planted-a.ts', "import './planted-b.js'\n", 'no-cycle'],
] as const

describe('the arrows of the house', () => {
  it('hold today', () => {
    const { code, text } = cruise()
    expect(text).toContain('no dependency violations found')
    expect(code).toBe(0)
  })

  describe('break when', () => {
    let result: ReturnType<typeof cruise>

    beforeAll(() => {
      for (const [, file, text] of PLANTED) writeFileSync(join(house, file), text)
      writeFileSync(join(house, 'src/policy/planted-b.ts'), "import './planted-a.js'\n")
      result = cruise()
    })

    it.each(PLANTED)('%s', (_, file, _text, rule) => {
      expect(result.code).not.toBe(0)
      expect(result.text).toMatch(new RegExp(`error ${rule}: ${file.replaceAll('.', '[.]')}`))
    })
  })
})

describe('the checks', () => {
  it('are all part of npm run check', () => {
    const listing = execFileSync('node', ['-p', "require('./package.json').scripts.check"], {
      cwd: ROOT,
      encoding: 'utf8',
    })
    for (const name of ['check:lint', 'check:arrows', 'check:types', 'check:dist'])
      expect(listing).toContain(name)
  })
})
