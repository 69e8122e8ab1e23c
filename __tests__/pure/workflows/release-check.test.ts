import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

const SCRIPT = resolve('.github/scripts/check-release.mjs')

const GOOD = {
  'package.json': '{"version":"1.2.3"}',
  'CHANGELOG.md': '# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-22\n',
  'src/record/project.ts': "export const PROJECT_URI = 'https://github.com/acme/portcullis'\n",
  'dist/index.cjs': 'var PROJECT_URI = "https://github.com/acme/portcullis";\n',
  'action.yml': 'name: Portcullis\n',
}

let root = ''

function check(changes: Partial<typeof GOOD>, args: readonly string[] = ['--tag', 'v1.2.3']) {
  for (const [path, text] of Object.entries({ ...GOOD, ...changes })) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const argv = [SCRIPT, ...args, '--repository', 'acme/portcullis']
  const { status, stderr } = spawnSync(process.execPath, argv, { cwd: root, encoding: 'utf8' })
  return { status, stderr }
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'portcullis-release-'))
})
afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

describe('the check before a release', () => {
  it('lets through what belongs together', () => {
    expect(check({})).toEqual({ status: 0, stderr: '' })
  })

  it.each([
    [
      'the placeholder in src',
      { 'src/record/project.ts': "const PROJECT_URI = 'https://github.com/OWNER/portcullis'" },
      /OWNER/,
    ],
    [
      'the placeholder in dist',
      { 'dist/index.cjs': 'var a = "https://github.com/OWNER/portcullis"' },
      /dist\/index\.cjs/,
    ],
    [
      'the placeholder in action.yml',
      { 'action.yml': '# https://github.com/OWNER/portcullis' },
      /action\.yml/,
    ],
    [
      'another repository',
      { 'src/record/project.ts': "const PROJECT_URI = 'https://github.com/acme/other'" },
      /acme\/other/,
    ],
    [
      'no project URI',
      { 'src/record/project.ts': "const ADDRESS = 'https://github.com/acme/portcullis'" },
      /found 0/,
    ],
    ['a computed project URI', { 'src/record/project.ts': 'const PROJECT_URI = address()' }, /found 0/],
    ['another version', { 'package.json': '{"version":"1.2.2"}' }, /1\.2\.2/],
    ['no changelog section', { 'CHANGELOG.md': '## [Unreleased]\n' }, /no section/],
  ] as const)('refuses %s', (_, changes, message) => {
    const { status, stderr } = check(changes)
    expect(status).toBe(1)
    expect(stderr).toMatch(message)
  })

  it.each([['v1.2'], ['1.2.3'], ['v1.2.3-rc.1']])('refuses the tag %s', tag => {
    expect(check({}, ['--tag', tag]).status).toBe(1)
  })

  it('refuses without a tag', () => {
    expect(check({}, []).status).toBe(1)
  })
})
