#!/usr/bin/env node
// `npm run kill-walk`: kills a release at request 1 to N, on three registries, with a key and without. Takes hours.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const HERE = dirname(fileURLToPath(import.meta.url))
const USAGE = `usage: npm run kill-walk -- [--only 'crane registry serve, key;olareg, keyless'] [--kinds] [--new-states] [--from N]
  Prints the tables as Markdown. --kinds: one death at each kind of request instead of at each request.
  --new-states: the release is run again after the first death in each state of the registry, not after every one. --from N: the first request to kill at.`

const { values } = parseArgs({
  options: {
    ...{ only: { type: 'string', default: '' }, kinds: { type: 'boolean', default: false } },
    from: { type: 'string', default: '1' },
    ...{ 'new-states': { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  },
})
if (values.help) console.log(USAGE)
else main()

function main() {
  const dir = mkdtempSync(join(tmpdir(), 'portcullis-walk-'))
  try {
    for (const [script, name] of [
      ['machine.mjs', 'machine.json'],
      ['build.mjs', 'toolchain.json'],
    ])
      execFileSync(process.execPath, [join(HERE, script), '--out', join(dir, name)], {
        stdio: ['ignore', 'ignore', 'inherit'],
      })
    const node24 = JSON.parse(readFileSync(join(dir, 'machine.json'), 'utf8')).node24
    const jest = join('node_modules', 'jest', 'bin', 'jest.js')
    const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
    const { status } = spawnSync(node24, [...flags, jest, '--testMatch', '**/__tests__/walks/*.walk.ts'], {
      cwd: dirname(HERE),
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        PORTCULLIS_NODE24: node24,
        PORTCULLIS_MACHINE: join(dir, 'machine.json'),
        PORTCULLIS_TOOLCHAIN: join(dir, 'toolchain.json'),
        PORTCULLIS_WALK_OUT: join(dir, 'table.md'),
        PORTCULLIS_WALK_ONLY: values.only,
        PORTCULLIS_WALK_FROM: values.from,
        PORTCULLIS_WALK_KINDS: values.kinds ? 'yes' : 'no',
        PORTCULLIS_WALK_AGAIN: values['new-states'] ? 'new-state' : 'always',
      },
    })
    console.log(readFileSync(join(dir, 'table.md'), 'utf8'))
    process.exitCode = status ?? 1
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
