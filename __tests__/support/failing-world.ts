import { stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bench, GateOptions } from './gate-runs.js'
import { writeLiar, type Lie as ScannerLie } from './liars.js'
import type { Lie, SeenRequest } from './lying-registry.js'
import { makeDatabase, makeEmptyDatabase } from './tools.js'

/** One way in which the world can fail a run, and the one answer it must get. */
export interface Row {
  readonly what: string
  /** Stage and reason of the first problem; for a rule without an answer `judge` and its id. */
  readonly stage: string
  readonly reason: string
  /** What the report says about it. */
  readonly text: RegExp
  /** True: found in stage 8, so that something may have been pushed by digest. */
  readonly inRelease?: boolean
  /** Default: made of `what`. */
  readonly repository?: string
  /** A run that waits for a time limit is started first and looked at in its turn. */
  readonly slow?: boolean
  readonly arrange: (world: World) => Promise<Partial<GateOptions>>
}

/** What the rows are arranged in. */
export interface World {
  readonly bench: Bench
  /** Host of a registry that can lie. */
  readonly lyingHost: string
  /** What it tells instead of the truth, by repository. */
  readonly lies: Map<string, (request: SeenRequest) => Lie | null>
  /** A mounted file system of that size (as mount writes it). */
  readonly smallDisk: (size: string) => Promise<string>
}

const SCANNER_ROWS: readonly (readonly ['trivy' | 'syft', ScannerLie, string, string, RegExp])[] = [
  ['trivy', 'silent', 'is silent, with exit 0', 'trivy-no-output', /trivy ended well but wrote no report/],
  ['trivy', 'half-json', 'writes half a JSON', 'trivy-output-truncated', /[Tt]rivy.* is not complete JSON/],
  ['trivy', 'exit-1', 'ends with 1 after its report', 'trivy-exit-code', /trivy failed with exit code 1/],
  [
    'trivy',
    'another-image',
    'reports another image',
    'report-of-another-image',
    /is about image sha256:abab/,
  ],
  ['trivy', 'no-packages', 'reports no packages', 'report-without-packages', /report for .* is not complete/],
  [
    'trivy',
    'kind-removed',
    'omits one kind of package',
    'report-without-packages',
    /report for .* is not complete/,
  ],
  [
    'trivy',
    'lowered',
    "lowers all severities, the canary's too",
    'canary-severity-changed',
    /reported as low, not/i,
  ],
  [
    'trivy',
    'no-findings',
    "removes all findings, the canary's too",
    'canary-not-found',
    /known to be vulnerable: .* not reported/,
  ],
  [
    'trivy',
    'link',
    'leaves a link instead of a report',
    'foreign-output',
    /something other than files and folders/,
  ],
  ['syft', 'silent', 'is silent, with exit 0', 'syft-no-output', /syft ended well but wrote no report/],
  ['syft', 'half-json', 'writes half a JSON', 'syft-output-truncated', /[Ss]yft.* is not complete JSON/],
  ['syft', 'exit-1', 'ends with 1 after its report', 'syft-exit-code', /syft failed with exit code 1/],
  [
    'syft',
    'another-image',
    'reports another image',
    'sbom-of-another-image',
    /names sha256:abab\w+ as its subject/,
  ],
  [
    'syft',
    'no-packages',
    'reports no packages',
    'sbom-without-packages',
    /SBOMs for .* are not complete|lists no package/,
  ],
]

function scannerRow([tool, lie, what, reason, text]: (typeof SCANNER_ROWS)[number]): Row {
  const name = tool === 'trivy' ? 'Trivy' : 'Syft'
  return {
    what: `${name} ${what}`,
    stage: 'inspect',
    reason,
    text,
    arrange: world => withLiar(world, tool, lie),
  }
}

async function withLiar(
  { bench }: World,
  tool: 'trivy' | 'syft',
  lie: ScannerLie,
): Promise<Partial<GateOptions>> {
  const liar = await writeLiar(await bench.folder('liar'), tool, lie)
  return { tools: await bench.toolsWith({ [tool]: liar }) }
}

function hangingRow(tool: 'trivy' | 'syft'): Row {
  return {
    what: `${tool === 'trivy' ? 'Trivy' : 'Syft'} hangs`,
    stage: 'inspect',
    reason: `${tool}-timed-out`,
    text: new RegExp(`${tool} was stopped after its time limit`),
    slow: true,
    arrange: async world => ({ ...(await withLiar(world, tool, 'hanging')), args: ['--timeout', '1'] }),
  }
}

async function damagedDatabase(
  { bench }: World,
  damage: (file: string) => Promise<unknown>,
): Promise<Partial<GateOptions>> {
  const dir = await makeDatabase(await bench.folder('database'))
  await damage(join(dir, 'db', 'trivy.db'))
  return { database: dir }
}

const DATABASE_ROWS: readonly Row[] = [
  {
    what: 'the database has no advisory',
    stage: 'inspect',
    reason: 'canary-not-found',
    text: /known to be vulnerable: .* not reported/,
    arrange: async ({ bench }) => {
      const dir = await bench.folder('database')
      await writeFile(join(dir, 'rows.jsonl'), '')
      return { database: await makeEmptyDatabase(dir, join(dir, 'rows.jsonl')) }
    },
  },
  {
    what: 'the database is a file of no bytes',
    stage: 'build',
    reason: 'database-empty',
    text: /zero bytes/,
    arrange: world => damagedDatabase(world, file => truncate(file, 0)),
  },
  {
    what: 'the database is truncated',
    stage: 'build',
    reason: 'database-truncated',
    text: /bytes long, but \d+ are needed/,
    arrange: world =>
      damagedDatabase(world, async file => truncate(file, Math.floor((await stat(file)).size / 2))),
  },
  {
    what: 'the database is old',
    stage: 'judge',
    reason: 'database.age',
    text: /is 168 h old .*limit 48 h/,
    arrange: async ({ bench }) => {
      const dir = await bench.folder('database')
      return { database: await makeDatabase(dir, new Date(Date.now() - 7 * 24 * 3_600_000)) }
    },
  },
  {
    what: 'the database is not there',
    stage: 'build',
    reason: 'database-missing',
    text: /holds neither trivy\.db/,
    arrange: async ({ bench }) => ({ database: await bench.folder('database') }),
  },
]

/** An engine that is asked for is not replaced by another that this machine has. */
const ENGINE_ROWS: readonly Row[] = (
  [
    ['docker', /engine docker: no Docker engine answers/],
    ['buildx', /engine buildx: buildx is neither on PATH nor a plugin of docker/],
  ] as const
).map(([engine, text]) => ({
  what: `the engine ${engine} is missing`,
  stage: 'build',
  reason: 'engine-missing',
  text,
  arrange: async ({ bench }) => ({
    subject: null,
    args: ['--engine', engine],
    env: { DOCKER_HOST: `unix://${await bench.folder('engine')}/docker.sock` },
  }),
}))

/** A row of the registry that can lie: `lie` decides for this repository alone. */
function registryRow(given: {
  readonly what: string
  readonly repository: string
  readonly reason: string
  readonly text: RegExp
  readonly slow?: boolean
  readonly lie: (request: SeenRequest) => Lie | null
}): Row {
  const { what, repository, reason, text, slow, lie } = given
  return {
    ...{ what: `the registry ${what}`, repository, stage: 'release', reason, text, inRelease: true },
    ...(slow === undefined ? {} : { slow }),
    arrange: world => {
      world.lies.set(repository, lie)
      return Promise.resolve({ host: world.lyingHost })
    },
  }
}

const refuse: Lie = { status: 403, body: '{"errors":[{"code":"DENIED","message":"denied"}]}' }
const otherBytes: Lie = {
  rewrite: answer => ({ ...answer, body: Buffer.from(answer.body.map(byte => byte ^ 1)) }),
}

const REGISTRY_ROWS: readonly Row[] = [
  {
    what: 'the registry is down',
    stage: 'release',
    reason: 'registry-unreachable',
    text: /ECONNREFUSED|cannot be reached|connection refused/i,
    inRelease: true,
    arrange: () => Promise.resolve({ host: '127.0.0.1:9' }),
  },
  registryRow({
    what: 'is slow: it never answers',
    repository: 'slow',
    reason: 'registry-timeout',
    text: /in time|answer/,
    slow: true,
    lie: () => 'hang',
  }),
  registryRow({
    what: 'refuses the login',
    repository: 'refusing',
    reason: 'registry-refused',
    text: /403|refuse|denied/i,
    lie: ({ method }) => (method === 'POST' ? refuse : null),
  }),
  registryRow({
    what: 'refuses the manifest after the blobs',
    repository: 'refusing-late',
    reason: 'registry-refused',
    text: /DENIED|403/i,
    lie: ({ method, path }) => (method === 'PUT' && path.includes('/manifests/') ? refuse : null),
  }),
  registryRow({
    what: 'serves other bytes of a layer',
    repository: 'other-blob',
    reason: 'served-bytes-differ',
    text: /does not serve the bytes/,
    lie: ({ method, path }) => (method === 'GET' && path.includes('/blobs/sha256:') ? otherBytes : null),
  }),
  registryRow({
    what: 'serves another manifest',
    repository: 'other-manifest',
    reason: 'served-bytes-differ',
    text: /does not serve the bytes/,
    lie: ({ method, path }) => (method === 'GET' && path.includes('/manifests/sha256:') ? otherBytes : null),
  }),
  registryRow({
    what: 'loses the attestations',
    repository: 'losing',
    reason: 'attach-lost',
    text: /./,
    lie: ({ method, path }) => {
      if (path.includes('/referrers/')) return { status: 404 }
      const fallback = /\/manifests\/sha256-/.test(path)
      return method === 'GET' && fallback ? { status: 404 } : null
    },
  }),
]

const DISK_ROWS: readonly Row[] = [
  {
    what: 'the disk of the temporary folder is full',
    stage: 'build',
    reason: 'disk-full',
    text: /disk is full|no space/i,
    arrange: async ({ smallDisk }) => ({ env: { TMPDIR: await smallDisk('1m') } }),
  },
  {
    what: 'the disk of the report folder is full',
    stage: 'inspect',
    reason: 'disk-full',
    text: /disk is full|no space/i,
    arrange: async ({ smallDisk }) => ({ output: join(await smallDisk('32k'), 'report') }),
  },
]

/** Every way to fail, each with the answer it must get. */
export const ROWS: readonly Row[] = [
  ...SCANNER_ROWS.map(scannerRow),
  hangingRow('trivy'),
  hangingRow('syft'),
  ...DATABASE_ROWS,
  ...ENGINE_ROWS,
  ...REGISTRY_ROWS,
  ...DISK_ROWS,
]
