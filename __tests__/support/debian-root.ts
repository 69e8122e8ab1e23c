import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { digestOf, MEDIA, writeBlob, writeIndex } from './layouts.js'
import { machinePath, ROOT, run } from './tools.js'

/** Old releases from the Python package index, chosen because advisories exist for most of them; idna has none. */
export const OLD_WHEELS = [
  ...[
    'requests==2.19.0',
    'urllib3==1.24.1',
    'Jinja2==2.10',
    'Django==2.2',
    'Werkzeug==0.15.2',
    'Flask==0.12.2',
  ],
  ...['Pygments==2.5.2', 'bleach==3.1.0', 'idna==3.7', 'langchain==0.0.170'],
] as const

/** Where the wheels are in the image. */
export const SITE = 'usr/local/lib/python3.11/dist-packages'

const SUITE = 'bookworm'
const INCLUDE = 'python3-minimal'

/** The folder that everything fetched for tests is kept in (toolchain/cache-root.mjs). */
async function cacheRoot(): Promise<string> {
  const module = pathToFileURL(join(ROOT, 'toolchain', 'cache-root.mjs')).href
  const script = `import { cacheRoot } from ${JSON.stringify(module)}; process.stdout.write(cacheRoot())`
  const cache = process.env['PORTCULLIS_CACHE']
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
    ...(cache !== undefined && { env: { PORTCULLIS_CACHE: cache } }),
  })
  return stdout
}

/** Makes `path` once, in a temporary folder that takes its place in one step. */
async function cached(path: string, make: (temporary: string) => Promise<void>): Promise<string> {
  if (existsSync(path)) return path
  await mkdir(dirname(path), { recursive: true })
  const temporary = await mkdtemp(`${path}.`)
  await make(temporary)
  await rename(temporary, path).catch(async (error: unknown) => {
    await rm(temporary, { recursive: true })
    if (!existsSync(path)) throw error
  })
  return path
}

function keyOf(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16)
}

/** A real Debian root file system as a tar, made with this machine's own package sources; kept in the cache. */
export async function debianRootTar(): Promise<string> {
  const path = join(await cacheRoot(), 'debian-root', keyOf(SUITE, INCLUDE))
  const flags = ['--variant=minbase', `--include=${INCLUDE}`, '--mode=auto', '--quiet', SUITE]
  const folder = await cached(path, async dir => {
    const env = { SOURCE_DATE_EPOCH: '1700000000' }
    await run(machinePath('mmdebstrap'), [...flags, join(dir, 'root.tar')], { env })
  })
  return join(folder, 'root.tar')
}

/** A folder with the old wheels installed by pip at `SITE`; kept in the cache. */
export async function wheelsRoot(): Promise<string> {
  const path = join(await cacheRoot(), 'old-wheels', keyOf('2', ...OLD_WHEELS))
  return await cached(path, async dir => {
    const venv = join(dir, 'venv')
    await run(machinePath('python3'), ['-m', 'venv', venv])
    const target = join(dir, 'root', SITE)
    const flags = [
      '--quiet',
      '--no-deps',
      '--no-compile',
      '--only-binary=:all:',
      '--disable-pip-version-check',
    ]
    await run(join(venv, 'bin', 'python3'), [
      '-m',
      'pip',
      'install',
      ...flags,
      '--target',
      target,
      ...OLD_WHEELS,
    ])
    await rm(venv, { recursive: true })
    // Launchers that pip puts where no record of an installed package names them.
    await rm(join(target, 'bin'), { recursive: true })
  }).then(dir => join(dir, 'root'))
}

/** An OCI layout with a real Debian below and the old wheels above, both layers uncompressed. */
export async function debianLayout(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true })
  const wheels = join(dir, 'wheels.tar')
  const fixed = ['--sort=name', '--mtime=@1700000000', '--owner=0', '--group=0', '--numeric-owner']
  await run('/bin/tar', ['-C', await wheelsRoot(), ...fixed, '-cf', wheels, 'usr'])
  const tars = [await readFile(await debianRootTar()), await readFile(wheels)]
  await rm(wheels)
  const platform = { os: 'linux', architecture: 'amd64' }
  const layers = []
  for (const tar of tars) layers.push(await writeBlob(dir, MEDIA.layer, tar))
  const history = ['ADD root.tar / # buildkit', 'COPY wheels / # buildkit'].map(created_by => ({
    created_by,
  }))
  const rootfs = { type: 'layers', diff_ids: tars.map(digestOf) }
  const config = { ...platform, config: { User: '65532' }, rootfs, history }
  const configBlob = await writeBlob(dir, MEDIA.config, JSON.stringify(config))
  const manifest = { schemaVersion: 2, mediaType: MEDIA.manifest, config: configBlob, layers }
  const descriptor = await writeBlob(dir, MEDIA.manifest, JSON.stringify(manifest))
  await writeIndex(dir, [{ ...descriptor, platform }])
  return dir
}

/** A base image: an OCI layout with a real Debian as its one layer, uncompressed. */
export async function debianBase(dir: string, settings: object = {}): Promise<string> {
  const tar = await readFile(await debianRootTar())
  const layer = await writeBlob(dir, MEDIA.layer, tar)
  const platform = { os: 'linux', architecture: 'amd64' }
  const rootfs = { type: 'layers', diff_ids: [layer.digest] }
  const history = [{ created_by: 'ADD root.tar / # buildkit' }]
  const env = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin']
  const config = { ...platform, config: { Env: env, ...settings }, rootfs, history }
  const configBlob = await writeBlob(dir, MEDIA.config, JSON.stringify(config))
  const manifest = { schemaVersion: 2, mediaType: MEDIA.manifest, config: configBlob, layers: [layer] }
  const descriptor = await writeBlob(dir, MEDIA.manifest, JSON.stringify(manifest))
  await writeIndex(dir, [{ ...descriptor, platform }])
  return dir
}

/** What must be found in the wheels, by Python's own libraries: `name version` -> sorted advisory ids. */
export async function expectedFindings(): Promise<Readonly<Record<string, readonly string[]>>> {
  const script = join(ROOT, '__tests__', 'support', 'expected-findings.py')
  const advisories = join(ROOT, 'data', 'pypi-advisories.jsonl')
  const { stdout } = await run(machinePath('python3'), [script, advisories, await wheelsRoot()])
  return z.record(z.string(), z.array(z.string())).parse(JSON.parse(stdout))
}
