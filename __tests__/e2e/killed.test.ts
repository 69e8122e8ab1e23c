import { mkdtemp, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openBench, runGate, type Bench } from '../support/gate-runs.js'
import { hanging } from '../support/hanging.js'
import { kindOf } from '../support/kill-walk.js'
import { startLyingRegistry } from '../support/lying-registry.js'
import { startOlareg } from '../support/olareg.js'
import { leftProcesses, processesNaming } from '../support/processes.js'
import {
  keySigner,
  releaseSealed,
  sealImage,
  TAGS,
  type SealedImage,
  type Signer,
} from '../support/sealed-image.js'
import { mustEndWith, type Ending } from '../support/terminal.js'
import { run, toolPath } from '../support/tools.js'

let bench: Bench
let image: SealedImage
let signer: Signer

beforeAll(async () => {
  bench = await openBench()
  ;[image, signer] = [await sealImage(bench), await keySigner(bench)]
})

afterAll(async () => {
  await bench.close()
})

interface Place {
  readonly root: string
  readonly home: string
  readonly tmp: string
  readonly output: string
}

async function newPlace(): Promise<Place> {
  const root = await mkdtemp(join(await bench.folder('place'), 'p-'))
  const [home, tmp] = [join(root, 'home'), join(root, 'tmp')]
  await Promise.all([mkdir(home), mkdir(tmp)])
  return { root, home, tmp, output: join(root, 'report') }
}

/** What is left of a run: processes, and files in its HOME and TMPDIR; its cache (`.cache/portcullis`) is meant to stay. */
async function leftOf({ root, home, tmp }: Place): Promise<readonly string[]> {
  const cache = await readdir(join(home, '.cache')).catch(() => [])
  const inHome = (await readdir(home)).filter(name => name !== '.cache' || cache.join() !== 'portcullis')
  return [...(await leftProcesses([root])), ...(await readdir(tmp)), ...inHome]
}

describe('in the middle of the inspection, while a scanner lives', () => {
  it.each([
    ['SIGKILL', null, 'SIGKILL'],
    ['SIGINT', 130, null],
  ] as const)(
    '%s of the whole group: no scanner survives, nothing was pushed, a second run is fine',
    async (signal, code, by) => {
      const repository = `inspect-${signal.toLowerCase()}`
      const [place, project] = [
        await newPlace(),
        { dir: image.project, layout: join(image.project, 'layout') },
      ]
      const seen: { scanners: readonly string[] } = { scanners: [] }
      const gate = (started?: (pid: number) => void) =>
        runGate(bench, project, {
          ...{ repository, output: place.output, group: true, place },
          ...(started === undefined ? {} : { started }),
        })
      const ended = await gate(pid => {
        void whenScanning(place.root, pid).then(scanners => {
          seen.scanners = scanners
          process.kill(-pid, signal)
        })
      })
      expect([ended.code, ended.signal]).toEqual([code, by])
      expect(seen.scanners).not.toEqual([])
      expect(await leftProcesses([place.root])).toEqual([])
      expect(await bench.registry.catalog()).not.toContain(repository)
      if (signal === 'SIGINT') expect(await leftOf(place)).toEqual([])

      mustEndWith(0, await gate())
      expect(await bench.registry.tags(repository)).toEqual(['1.0.0'])
      expect(await leftOf(place)).toEqual([])
    },
    300_000,
  )

  async function whenScanning(root: string, pid: number): Promise<readonly string[]> {
    for (;;) {
      const scanners = (await processesNaming([root])).filter(one => / (?:image|scan|oci-dir:)\S* /.test(one))
      if (scanners.length > 0) return scanners
      if ((await processesNaming([root])).length === 0) return []
      process.kill(pid, 0)
      await sleep(20)
    }
  }
})

describe('Ctrl-C in the middle of a release', () => {
  it.each([
    ['while the image is pushed', 'PUT manifests/DIGEST', 1],
    ['between the statements', 'PUT manifests/DIGEST', 8],
    ['right before the second tag', 'PUT manifests/TAG', 2],
  ] as const)(
    '%s: exit 130, nothing is left, the next run completes it',
    async (what, kind, turn) => {
      const proxy = await startLyingRegistry(bench.registry.host)
      const repository = `int/${what.replaceAll(' ', '-')}`
      const place = await newPlace()
      try {
        let came = 0
        let group = 0
        proxy.lie(request => {
          if (kindOf(request) !== kind) return null
          came += 1
          if (came === turn) process.kill(-group, 'SIGINT')
          return came === turn ? 'hang' : null
        })
        const name = `${proxy.host}/${repository}`
        const stopped = await releaseSealed(bench, image, {
          ...{ ...place, signer, image: name },
          started: pid => (group = pid),
        })
        expect([stopped.code, stopped.signal]).toEqual([130, null])
        expect(await leftOf(place)).toEqual([])
        expect(await bench.registry.tags(repository)).toEqual(kind === 'PUT manifests/TAG' ? ['1.0.0'] : [])
        proxy.lie(null)
        mustEndWith(0, await releaseSealed(bench, image, { ...place, signer, image: name }))
        expect([...(await bench.registry.tags(repository))].sort()).toEqual([...TAGS].sort())
        expect(await leftOf(place)).toEqual([])
        expect(repeated(await hanging(image, { host: bench.registry.host, repository }))).toEqual([])
      } finally {
        await proxy.stop()
      }
    },
    300_000,
  )
})

describe('two releases of one digest at the same time', () => {
  it.each([
    ['crane registry serve', null],
    ['olareg', startOlareg],
  ] as const)(
    'on %s: whoever fails says why; the image verifies, the tags point at it',
    async (name, start) => {
      const registry = start === null ? bench.registry : await start()
      const repository = 'racing/app'
      const where = { signer, image: `${registry.host}/${repository}` }
      try {
        const release = async (): Promise<Ending> =>
          releaseSealed(bench, image, { ...(await newPlace()), ...where })
        const both = await Promise.all([release(), release()])
        const raced = await hanging(image, { host: registry.host, repository })
        for (const one of both.filter(ending => ending.code !== 0)) {
          expect([one.code, one.stdout]).toEqual([
            3,
            expect.stringMatching(/release: (?:attach-lost|tag-moved)/),
          ])
        }
        mustEndWith(0, await release())
        const after = await hanging(image, { host: registry.host, repository })
        const counts = [raced, after].map(one => Object.values(one).flat().length)
        const codes = both.map(one => String(one.code)).join(' and ')
        process.stdout.write(
          `\n${name}: ended with ${codes}; bundles then ${counts.join(', after one more run ')}\n`,
        )
        for (const types of Object.values(after)) expect(new Set(types).size).toBeGreaterThanOrEqual(2)
        for (const tag of TAGS) {
          const pointed = await run(toolPath('crane'), ['digest', `${where.image}:${tag}`])
          expect(pointed.stdout.trim()).toBe(image.digest)
        }
        for (const digest of image.digests) {
          const args = ['verify', '--key', bench.key.publicKey, '--insecure-ignore-tlog=true']
          await run(toolPath('cosign'), [...args, `${where.image}@${digest}`])
        }
      } finally {
        if (start !== null) await registry.stop()
      }
    },
    300_000,
  )
})

function repeated(hangs: Readonly<Record<string, readonly string[]>>): readonly string[] {
  return Object.entries(hangs).flatMap(([digest, types]) =>
    types.filter((type, at) => types.indexOf(type) !== at).map(type => `${digest} ${type}`),
  )
}
