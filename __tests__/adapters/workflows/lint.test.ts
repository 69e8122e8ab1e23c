import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { workflowFiles } from '../../pure/workflows/workflow-files.js'

const toolchain = z.object({ actionlint: z.object({ path: z.string() }) })
const machine = z.object({ zizmor: z.string() })
const findings = z.array(z.object({ ident: z.string() }))

/** What the build of the tools wrote; a machine without it fails here, it never skips. */
function written(variable: 'PORTCULLIS_TOOLCHAIN' | 'PORTCULLIS_MACHINE'): unknown {
  const file = process.env[variable]
  if (file === undefined) throw new Error(`${variable} names no file: run the tests through \`npm test\``)
  return JSON.parse(readFileSync(file, 'utf8'))
}

function linters(): { actionlint: string; zizmor: string } {
  const { actionlint } = toolchain.parse(written('PORTCULLIS_TOOLCHAIN'))
  const { zizmor } = machine.parse(written('PORTCULLIS_MACHINE'))
  for (const path of [actionlint.path, zizmor]) {
    if (!existsSync(path)) throw new Error(`${path} does not exist: build the tools again`)
  }
  return { actionlint: actionlint.path, zizmor }
}

function run(program: string, args: readonly string[], cwd: string) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: cwd },
  })
  if (error !== undefined) throw error
  return { status, stdout, output: `${stdout}${stderr}` }
}

function actionlint(paths: readonly string[], cwd = '.') {
  return run(linters().actionlint, ['-no-color', '-shellcheck=', '-pyflakes=', ...paths], cwd)
}

function zizmor(args: readonly string[], persona: 'regular' | 'pedantic', cwd = '.') {
  const quiet = ['--offline', '--no-progress', '--color=never', '--no-config', `--persona=${persona}`]
  return run(linters().zizmor, [...quiet, ...args], cwd)
}

describe('the workflow linters', () => {
  it('actionlint finds nothing', () => {
    expect(actionlint(workflowFiles().map(({ path }) => path))).toMatchObject({ status: 0, output: '' })
  })

  it.each(['regular', 'pedantic'] as const)('zizmor finds nothing as its %s persona', persona => {
    const { status, output } = zizmor(['.github', 'action.yml'], persona)
    expect(output).toContain('No findings to report')
    expect(status).toBe(0)
  })

  it('zizmor is told to ignore one thing: that the self-test runs the checked-out action', () => {
    const { stdout } = zizmor(['--no-ignores', '--format=json', '.github', 'action.yml'], 'pedantic')
    expect(findings.parse(JSON.parse(stdout)).map(({ ident }) => ident)).toEqual([
      'self-repository',
      'self-repository',
    ])
  })
})

describe('a planted fault', () => {
  const BAD = `name: bad
on: pull_request_target
jobs:
  greet:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v7
      - run: echo "\${{ github.event.pull_request.title }}"
      - run: echo "\${{ steps.nowhere.outputs.x }}"
`
  let root = ''

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'portcullis-lint-'))
    mkdirSync(join(root, '.github/workflows'), { recursive: true })
    writeFileSync(join(root, '.github/workflows/bad.yml'), BAD)
  })
  afterEach(() => {
    rmSync(root, { recursive: true, force: true })
  })

  it('is found by actionlint', () => {
    const { status, output } = actionlint(['.github/workflows/bad.yml'], root)
    expect(status).toBe(1)
    expect(output).toContain('potentially untrusted')
    expect(output).toContain('nowhere')
  })

  it('is found by zizmor', () => {
    const { status, output } = zizmor(['.github'], 'regular', root)
    expect(status).toBeGreaterThan(0)
    for (const audit of [
      'unpinned-uses',
      'template-injection',
      'dangerous-triggers',
      'artipacked',
      'excessive-permissions',
    ]) {
      expect(output).toContain(audit)
    }
  })
})
