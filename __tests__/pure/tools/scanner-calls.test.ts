import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GateError } from '../../../src/errors.js'
import type { Command, Commands } from '../../../src/tools/command.js'
import { catalogImage, type Syft, writeSyftFiles } from '../../../src/tools/syft.js'
import {
  downloadDatabase,
  scanPackages,
  scanSbom,
  scanSecretFolder,
  scanSecrets,
  type Trivy,
  type TrivyScan,
  writeTrivyFiles,
} from '../../../src/tools/trivy.js'
import { reasonOfAsync } from '../../support/reasons.js'

let dir: string
let started: Command[]
let trivy: Trivy
let syft: Syft
let scan: TrivyScan
/** What the program does: writes every output it was asked for, unless told otherwise. */
let act: (outputs: readonly string[]) => Promise<void>

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-calls-'))
  started = []
  act = async outputs => {
    for (const file of outputs) await writeFile(file, `report in ${file}`)
  }
  const refuse = () => {
    throw new Error('not to be called')
  }
  const commands: Commands = {
    run: async command => {
      started.push(command)
      const values = command.args.filter((_word, at) => command.args[at - 1] === '--output')
      await act(values.map(value => value.replace(/^[a-z0-9@.-]+=/, '')))
      return { stdout: '', stderr: '', milliseconds: 1 }
    },
    ...{ stream: refuse, serve: refuse, isolation: refuse, stopAll: refuse },
  }
  trivy = {
    commands,
    program: { name: 'trivy', path: '/x/trivy' },
    files: await writeTrivyFiles(join(dir, 'config')),
  }
  syft = {
    commands,
    program: { name: 'syft', path: '/x/syft' },
    files: await writeSyftFiles(join(dir, 'syft')),
  }
  scan = { cwd: join(dir, 'layout'), input: 'image', cacheDir: join(dir, 'cache'), outDir: dir }
})
afterEach(() => rm(dir, { recursive: true }))

function only(): Command {
  const [command] = started
  if (command === undefined || started.length !== 1) throw new Error('one call was expected')
  return command
}

const CALLS: readonly [string, (at: TrivyScan) => Promise<string>, readonly string[]][] = [
  ['packages', at => scanPackages(trivy, at), ['image', '--input', 'image']],
  ['secrets', at => scanSecrets(trivy, at), ['image', '--input', 'image']],
  ['an SBOM', at => scanSbom(trivy, at), ['sbom', 'image']],
  ['a folder for secrets', at => scanSecretFolder(trivy, at), ['fs', 'image']],
]

test.each(CALLS)(
  '%s: confined, offline, with nothing but our own configuration',
  async (_name, call, start) => {
    expect(await call(scan)).toBe(`report in ${join(dir, 'report.json')}`)
    const { grant, args, cwd, paths } = only()
    expect([grant, cwd]).toEqual(['scanner', scan.cwd])
    expect(args.slice(0, start.length)).toEqual(start)
    const after = (flag: string): string | undefined => args[args.indexOf(flag) + 1]
    expect([after('--config'), after('--ignorefile')]).toEqual([trivy.files.empty, trivy.files.empty])
    expect(await readFile(trivy.files.empty, 'utf8')).toBe('')
    for (const flag of [
      '--skip-db-update',
      '--skip-java-db-update',
      '--offline-scan',
      '--skip-version-check',
    ])
      expect(args).toContain(flag)
    expect(args).toContain('--disable-telemetry')
    expect(after('--cache-backend')).toBe('memory')
    // Filtering and exit codes would hide findings or mix them with failures.
    for (const flag of [
      '--severity',
      '--exit-code',
      '--ignore-unfixed',
      '--vex',
      '--ignore-policy',
      '--skip-files',
    ])
      expect(args).not.toContain(flag)
    expect(paths).toEqual({ read: [scan.cwd, scan.cacheDir, trivy.files.dir], write: [dir] })
  },
)

test('secrets are searched with a configuration of a name that no image can hold', async () => {
  const again = await writeTrivyFiles(join(dir, 'again'))
  expect(again.secrets.split('/').at(-1)).not.toBe(trivy.files.secrets.split('/').at(-1))
  const text = await readFile(trivy.files.secrets, 'utf8')
  expect(text).toMatch(/^disable-allow-rules:\n {2}- dist-info\n {2}- tests\n/)
  expect(text).toMatch(/skip-patterns: \[\]\n$/)
})

test('the database is downloaded with the grant of the registry, and nothing is scanned', async () => {
  await downloadDatabase(trivy, 'registry.example/trivy-db@sha256:00', join(dir, 'cache'))
  expect(only().grant).toBe('registry')
  expect(only().args.slice(0, 4)).toEqual([
    'image',
    '--download-db-only',
    '--db-repository',
    'registry.example/trivy-db@sha256:00',
  ])
})

test('Syft analyses once and writes three documents', async () => {
  const documents = await catalogImage(syft, {
    cwd: scan.cwd,
    input: 'image',
    name: 'registry.example/app',
    outDir: dir,
  })
  expect(Object.values(documents)).toEqual(
    ['spdx', 'cyclonedx', 'syft'].map(name => `report in ${join(dir, `${name}.json`)}`),
  )
  const { args, grant, variables } = only()
  expect(args).toEqual([
    ...[
      'scan',
      'oci-dir:image',
      '--quiet',
      '--config',
      syft.files.empty,
      '--source-name',
      'registry.example/app',
    ],
    ...['--output', `spdx-json@2.3=${join(dir, 'spdx.json')}`],
    ...['--output', `cyclonedx-json@1.6=${join(dir, 'cyclonedx.json')}`],
    ...['--output', `syft-json=${join(dir, 'syft.json')}`],
  ])
  expect([grant, variables]).toEqual(['scanner', { SYFT_CHECK_FOR_APP_UPDATE: 'false' }])
})

test.each<[string, () => Promise<void>, string]>([
  ['writes nothing', () => Promise.resolve(), 'trivy-no-output'],
  ['writes an empty report', async () => writeFile(join(dir, 'report.json'), ''), 'trivy-no-output'],
  [
    'fails',
    () => Promise.reject(new GateError('tool', { reason: 'exit-code', message: 'exit code 1' })),
    'trivy-exit-code',
  ],
  [
    'has no Java database',
    () =>
      Promise.reject(
        new GateError('tool', { reason: 'exit-code', message: 'unable to initialize the Java DB' }),
      ),
    'java-database-missing',
  ],
  [
    'was changed on the disk',
    () => Promise.reject(new GateError('integrity', { reason: 'hash-changed', message: 'changed' })),
    'hash-changed',
  ],
  [
    'is cancelled',
    () => Promise.reject(new GateError('tool', { reason: 'cancelled', message: '' })),
    'cancelled',
  ],
])('a scanner that %s', async (_name, doing, reason) => {
  act = doing
  expect(await reasonOfAsync(scanPackages(trivy, scan))).toBe(reason)
})
