import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const SCRIPT = resolve('.github/scripts/check-dist.sh')
const BUILD = `import { mkdirSync, writeFileSync } from 'node:fs'
mkdirSync('dist', { recursive: true })
writeFileSync('dist/index.cjs', 'built\\n')
`
const PACKAGE = { name: 'x', version: '1.0.0', scripts: { build: 'node build.mjs' } }
const LOCK = {
  name: 'x',
  version: '1.0.0',
  lockfileVersion: 3,
  packages: { '': { name: 'x', version: '1.0.0' } },
}

let root = ''

function run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const inherited = {
    PATH: process.env['PATH'],
    HOME: root,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
  }
  const { status, stderr, error } = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...inherited, ...env },
  })
  if (error !== undefined) throw error
  return { status, stderr }
}

function write(path: string, text: string): void {
  writeFileSync(join(root, path), text)
}

function commit(): void {
  const who = ['-c', 'user.name=test', '-c', 'user.email=test@localhost']
  expect(run('git', ['add', '--all']).status).toBe(0)
  expect(run('git', [...who, 'commit', '--quiet', '--message', 'test']).status).toBe(0)
}

function check() {
  return run('bash', ['.github/scripts/check-dist.sh'], {
    GITHUB_STEP_SUMMARY: join(root, '.git/summary.md'),
  })
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'portcullis-dist-'))
  mkdirSync(join(root, '.github/scripts'), { recursive: true })
  mkdirSync(join(root, 'dist'))
  copyFileSync(SCRIPT, join(root, '.github/scripts/check-dist.sh'))
  write('package.json', JSON.stringify(PACKAGE))
  write('package-lock.json', JSON.stringify(LOCK))
  write('build.mjs', BUILD)
  write('.gitignore', 'node_modules/\n.npm/\n')
  write('dist/index.cjs', 'built\n')
  expect(run('git', ['init', '--quiet']).status).toBe(0)
})
afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

describe('the check of the committed dist', () => {
  it('passes when dist is what the sources build', () => {
    commit()
    expect(check().status).toBe(0)
  })

  it('refuses a changed file and shows the difference', () => {
    write('dist/index.cjs', 'edited\n')
    commit()
    const { status, stderr } = check()
    expect(status).toBe(1)
    expect(stderr).toContain('dist/index.cjs')
    const summary = readFileSync(join(root, '.git/summary.md'), 'utf8')
    expect(summary).toContain('-edited\n+built\n')
  })

  it('refuses an additional committed file', () => {
    write('dist/extra.cjs', 'left over\n')
    commit()
    expect(check().status).toBe(1)
  })

  it('refuses a file that the build makes and nobody committed', () => {
    write('build.mjs', `${BUILD}writeFileSync('dist/post.cjs', 'built\\n')\n`)
    commit()
    const { status, stderr } = check()
    expect(status).toBe(1)
    expect(stderr).toContain('dist/post.cjs')
  })

  it('refuses a build that fails', () => {
    write('build.mjs', 'process.exit(7)\n')
    commit()
    expect(check().status).not.toBe(0)
  })

  it('refuses a repository without a committed dist', () => {
    rmSync(join(root, 'dist'), { recursive: true })
    commit()
    const { status, stderr } = check()
    expect(status).toBe(1)
    expect(stderr).toContain('no file of dist is committed')
  })

  it('refuses a tree that is not clean, and leaves dist alone', () => {
    commit()
    write('dist/index.cjs', 'work in progress\n')
    const { status, stderr } = check()
    expect(status).toBe(1)
    expect(stderr).toContain('not clean')
    expect(readFileSync(join(root, 'dist/index.cjs'), 'utf8')).toBe('work in progress\n')
  })
})
