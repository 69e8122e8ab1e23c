import { mkdir, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import pLimit from 'p-limit'
import { readRecord, type Bench } from './gate-runs.js'
import { hanging, tagsOf, type Hanging } from './hanging.js'
import { startLyingRegistry, type LyingRegistry, type SeenRequest } from './lying-registry.js'
import { leftProcesses } from './processes.js'
import { releaseSealed, TAGS, type SealedImage, type Signer } from './sealed-image.js'
import { mustEndWith } from './terminal.js'
import { run, toolPath } from './tools.js'

/** A walk: one release after another, each killed at another request, each gone on with. */
export interface Walk {
  readonly bench: Bench
  readonly image: SealedImage
  /** Each release has an empty registry of its own: some keep the blobs of all names together. */
  readonly start: () => Promise<{ readonly host: string; readonly stop: () => Promise<void> }>
  readonly signer: Signer
  /** `always`: after every death; `new state`: after the first that left the registry in this state. */
  readonly again: 'always' | 'new state'
  /** Hears of each death when all that follows it is known. */
  readonly told?: (death: Death) => void
  /** Number of the first request that is killed at; default 1. */
  readonly from?: number
  /** How many at a time. */
  readonly parallel: number
}

/** One death and what came of it. */
export interface Death {
  /** Number of the request at which everything was killed, from 1. */
  readonly at: number
  /** Method and kind of that request. */
  readonly kind: string
  /** Tags right after the death, referrer fallbacks left out. */
  readonly tags: readonly string[]
  /** Bundles that hung on index and images then. */
  readonly hung: number
  /** Whether a file with a key or a token lay in the private folder then. */
  readonly keyFile: boolean
  /** Whether the release was run again afterwards, to its end. */
  readonly again: boolean
  /** What was not as it must be. */
  readonly problems: readonly string[]
}

/** Method and kind of a request, without names, digests and numbers. */
export function kindOf({ method, path }: Pick<SeenRequest, 'method' | 'path'>): string {
  const [plain = ''] = path.split('?')
  const rest = plain.replace(/^\/v2\/?/, '').replace(/^.*?\/(?=(?:manifests|blobs|referrers|tags)\/)/, '')
  const kind = rest
    .replace(/^blobs\/uploads\/.*/, 'blobs/uploads')
    .replace(/sha256:[0-9a-f]+/, 'DIGEST')
    .replace(/sha256-[0-9a-f]+.*/, 'FALLBACK')
    .replace(/^manifests\/(?!DIGEST|FALLBACK).*/, 'manifests/TAG')
  return `${method} ${kind === '' ? 'v2' : kind}`
}

/** A release that nobody kills: its requests, and what hangs then. Throws when it does not end well. */
export async function wholeRelease(walk: Walk): Promise<Whole> {
  return await inPlace(walk, async place => {
    mustEndWith(0, await releaseSealed(walk.bench, walk.image, place))
    const kinds = place.proxy.requests.map(line => {
      const [method = '', path = ''] = line.split(' ')
      return kindOf({ method, path })
    })
    return { kinds, hanging: await hanging(walk.image, place) }
  })
}

/** What a whole release asks and leaves. */
export interface Whole {
  readonly kinds: readonly string[]
  readonly hanging: Hanging
}

/** Kills at request 1, 2, 3 … until a release ends before its turn. */
export async function walkAll(walk: Walk, { hanging: wanted }: Whole): Promise<readonly Death[]> {
  const deaths: Death[] = []
  const seen = new Set<string>()
  let next = walk.from ?? 1
  let over = false
  async function worker(): Promise<void> {
    while (!over) {
      const at = next
      next += 1
      const death = await die({ walk, wanted, seen }, at, (_kind, count) => count === at)
      if (death === null) over = true
      else record(walk, deaths, death)
    }
  }
  await Promise.all(Array.from({ length: walk.parallel }, worker))
  return deaths.sort((a, b) => a.at - b.at)
}

/** Kills once at each kind of request, in the middle of those of its kind. */
export async function walkKinds(walk: Walk, whole: Whole): Promise<readonly Death[]> {
  const deaths: Death[] = []
  const limit = pLimit(walk.parallel)
  const step = { walk: { ...walk, again: 'always' as const }, wanted: whole.hanging, seen: new Set<string>() }
  const dying = [...new Set(whole.kinds)].map((wanted, index) =>
    limit(async () => {
      const turn = Math.ceil(whole.kinds.filter(kind => kind === wanted).length / 2)
      let came = 0
      const death = await die(step, index + 1, kind => {
        if (kind === wanted) came += 1
        return kind === wanted && came === turn
      })
      if (death === null) throw new Error(`no release sent ${wanted} ${String(turn)} times`)
      record(walk, deaths, death)
    }),
  )
  await Promise.allSettled(dying)
  await Promise.all(dying)
  return deaths.sort((a, b) => a.at - b.at)
}

function record(walk: Walk, deaths: Death[], death: Death): void {
  deaths.push(death)
  walk.told?.(death)
}

interface Step {
  readonly walk: Walk
  readonly wanted: Hanging
  /** States of the registry from which a release was gone on with already. */
  readonly seen: Set<string>
}

/** One release that is killed when its turn has come; null when it ended before. */
async function die(
  { walk, wanted, seen }: Step,
  at: number,
  turn: (kind: string, count: number) => boolean,
): Promise<Death | null> {
  return await inPlace(walk, async place => {
    const kinds: string[] = []
    const killed: { kind?: string } = {}
    let group = 0
    place.proxy.lie(request => {
      if (killed.kind !== undefined) return null
      const kind = kindOf(request)
      kinds.push(kind)
      if (!turn(kind, kinds.length)) return null
      killed.kind = kind
      process.kill(-group, 'SIGKILL')
      return 'hang'
    })
    const started = (pid: number): void => void (group = pid)
    const ending = await releaseSealed(walk.bench, walk.image, { ...place, started })
    place.proxy.lie(null)
    if (killed.kind === undefined) {
      mustEndWith(0, ending)
      return null
    }
    const death = { at, kind: killed.kind, ...(await afterDeath(walk, place, wanted)) }
    const state = kinds
      .slice(0, -1)
      .filter(kind => kind.startsWith('PUT '))
      .sort()
      .join()
    if (walk.again === 'new state' && seen.has(state)) return { ...death, again: false }
    seen.add(state)
    const more = await goOn(walk, place, wanted)
    return { ...death, again: true, problems: [...death.problems, ...more] }
  })
}

/** A registry, a proxy before it, and folders for one release and its repetition. */
interface Place {
  readonly root: string
  readonly home: string
  readonly tmp: string
  readonly output: string
  readonly signer: Signer
  readonly proxy: LyingRegistry
  /** Of the registry itself. */
  readonly host: string
  readonly repository: string
  /** Of the proxy, with the repository. */
  readonly image: string
}

async function inPlace<T>(walk: Walk, use: (place: Place) => Promise<T>): Promise<T> {
  const root = await walk.bench.folder('walk')
  const [home, tmp, output] = [join(root, 'home'), join(root, 'tmp'), join(root, 'report')]
  await Promise.all([mkdir(home), mkdir(tmp)])
  const registry = await walk.start()
  const proxy = await startLyingRegistry(registry.host)
  const repository = 'team/app'
  const names = { host: registry.host, repository, image: `${proxy.host}/${repository}` }
  try {
    return await use({ root, home, tmp, output, signer: walk.signer, proxy, ...names })
  } finally {
    await proxy.stop()
    await registry.stop()
    await rm(root, { recursive: true, force: true })
  }
}

async function afterDeath(
  walk: Walk,
  after: Place,
  wanted: Hanging,
): Promise<Pick<Death, 'tags' | 'hung' | 'keyFile' | 'problems'>> {
  const alive = await leftProcesses([after.root])
  const problems = alive.map(one => `still alive: ${one}`)
  const [tags, now] = [await tagsOf(after), await hanging(walk.image, after)]
  const left = await readdir(after.tmp, { recursive: true })
  if (tags.join() !== TAGS.slice(0, tags.length).join()) problems.push(`tags out of turn: ${tags.join()}`)
  if (tags.length > 0 && JSON.stringify(now) !== JSON.stringify(wanted))
    problems.push(`the tag ${tags.join()} came before every statement hung`)
  const keyFile = left.some(path => /(?:cosign\.key|token)$/.test(path))
  return { tags, hung: Object.values(now).flat().length, keyFile, problems }
}

/** Runs the release again, to its end, and looks at what came of it. */
async function goOn(walk: Walk, after: Place, wanted: Hanging): Promise<readonly string[]> {
  const ending = await releaseSealed(walk.bench, walk.image, after)
  if (ending.code !== 0)
    return [`the second run ended with ${String(ending.code)}: ${ending.stdout.slice(0, 1500)}`]
  const problems: string[] = []
  const record = await readRecord(after.output)
  if (record?.release.state !== 'released')
    problems.push(`the second run is ${record?.release.state ?? 'lost'}`)
  const tags = await tagsOf(after)
  if (tags.join() !== TAGS.join()) problems.push(`tags after the second run: ${tags.join()}`)
  const now = await hanging(walk.image, after)
  if (JSON.stringify(now) !== JSON.stringify(wanted))
    problems.push(`what hangs after the second run: ${JSON.stringify(now)}`)
  const left = [...(await leftProcesses([after.root])), ...(await readdir(after.tmp))]
  if (left.length > 0) problems.push(`left after the second run: ${left.join()}`)
  const env = { PATH: `${dirname(toolPath('cosign'))}:/usr/bin:/bin`, HOME: after.home }
  await run('/bin/sh', ['-c', record?.release.verifyCommand ?? 'false'], {
    env,
    cwd: walk.image.project,
  }).catch((thrown: unknown) => problems.push(`cosign does not verify it: ${String(thrown)}`))
  return problems
}
