import * as z from 'zod'
import { PACKAGE_DATABASES } from '../evidence/os-releases.js'
import { NOT_SEARCHED } from '../evidence/scan.js'
import { count, digest, list, map, severity, sha256, sourceLocation, stage, text, word } from './bounds.js'
import { databaseFacts, imageSubject, isolation, minimumElements, toolFacts } from './image-schema.js'

/** Name and version of the evidence document. */
export const EVIDENCE_SCHEMA = 'portcullis/evidence/v1'

/** Known<T> of src/evidence/known.ts, read back. */
function known<T extends z.ZodType>(value: T) {
  return z.discriminatedUnion('state', [
    z.strictObject({ state: z.literal('present'), value }),
    z.strictObject({ state: z.literal('missing'), why: text, stage }),
    z.strictObject({ state: z.literal('not-configured') }),
  ])
}

const layerFacts = z.strictObject({
  diffId: digest,
  digest,
  size: count,
  uncompressedSize: count,
  entries: count,
  createdBy: text,
  origin: z.enum(['base', 'own']).exactOptional(),
  instruction: sourceLocation.exactOptional(),
})

const release = z.strictObject({ id: word, version: word, path: word, layer: digest })
const system = z.strictObject({
  databases: list(z.enum(PACKAGE_DATABASES), 10),
  release: release.exactOptional(),
  earlier: list(release, 1000),
})

const contents = z.strictObject({
  layers: list(layerFacts, 1000),
  files: count,
  executables: count,
  users: list(z.strictObject({ name: word, uid: z.number() })),
  setuid: list(word),
  system: system.exactOptional(),
  unexplained: list(z.strictObject({ path: word, size: count, setuid: z.boolean(), layer: digest })),
  owners: map(word, 5_000_000),
  packageDatabases: list(word, 100).exactOptional(),
  javaArchives: count.exactOptional(),
  linkedMetadata: list(
    z.strictObject({
      path: word,
      target: word,
      kind: z.enum(['hard-link', 'symbolic-link', 'linked-folder']),
      layer: digest,
    }),
  ).exactOptional(),
  hiddenPackages: list(
    z.strictObject({ package: word, record: word, layer: digest, files: count, samples: list(word, 100) }),
  ).exactOptional(),
  systemMetadata: map(word, 1_000_000).exactOptional(),
  rpmLayers: list(digest, 1000).exactOptional(),
})

const packageFacts = z.strictObject({
  purl: word,
  name: word,
  version: word,
  type: word,
  path: word.exactOptional(),
  layer: digest.exactOptional(),
  sourceName: word.exactOptional(),
  sourceVersion: word.exactOptional(),
  via: z.literal('union').exactOptional(),
})

const finding = z.strictObject({
  id: word,
  aliases: list(word, 1000),
  purl: word,
  package: word,
  version: word,
  sourcePackage: word.exactOptional(),
  path: word.exactOptional(),
  layer: digest.exactOptional(),
  platform: word,
  severity,
  severitySource: word.exactOptional(),
  status: word,
  fixedIn: list(word, 1000),
  published: word.exactOptional(),
  title: text.exactOptional(),
  via: z.literal('union').exactOptional(),
})

const vulnerabilityScan = z.strictObject({
  imageId: digest,
  os: z.strictObject({ family: word, name: word, endOfLife: z.boolean() }).exactOptional(),
  packages: list(packageFacts),
  findings: list(finding),
})

const secretScan = z.strictObject({
  imageId: digest,
  findings: list(
    z.strictObject({
      rule: word,
      category: word,
      title: text,
      severity,
      path: word,
      line: z.int().exactOptional(),
      layer: digest.exactOptional(),
      platform: word,
      owner: word.exactOptional(),
    }),
  ),
  searched: count.exactOptional(),
  notSearched: list(
    z.strictObject({ reason: z.enum(NOT_SEARCHED), files: count, examples: list(word, 20) }),
    100,
  ).exactOptional(),
})

const sbomSet = z.strictObject({
  documents: list(
    z.strictObject({
      format: z.enum(['spdx-2.3', 'cyclonedx-1.6', 'syft']),
      file: word,
      sha256,
      size: count,
      packages: count,
      subject: digest.exactOptional(),
      minimum: minimumElements.exactOptional(),
    }),
    100,
  ),
  packages: list(packageFacts),
})

const onlyListed = { purl: word, path: word.exactOptional() }
const inventory = z.strictObject({
  both: count,
  onlyTrivy: list(word),
  onlySyft: list(word),
  matched: list(word).exactOptional(),
  notMatched: list(
    z.strictObject({ ...onlyListed, why: z.enum(['no-advisories', 'no-version']) }),
  ).exactOptional(),
  leftToSystem: list(z.strictObject({ ...onlyListed, owner: word })).exactOptional(),
})

const platform = z.strictObject({
  platform: word,
  contents: known(contents),
  vulnerabilities: known(vulnerabilityScan),
  secrets: known(secretScan),
  sboms: known(sbomSet),
  inventory: known(inventory),
})

const dockerfile = z.strictObject({
  file: word,
  bases: list(
    z.strictObject({
      reference: word,
      pinned: z.boolean(),
      digest: digest.exactOptional(),
      stage: word.exactOptional(),
      location: sourceLocation,
    }),
    10_000,
  ),
  user: z.strictObject({ value: word, location: sourceLocation }).exactOptional(),
  finalStage: sourceLocation,
  base: sourceLocation.exactOptional(),
  chain: list(z.int(), 10_000).exactOptional(),
  instructions: list(
    z.strictObject({ keyword: word, arguments: text, stage: z.int(), location: sourceLocation }),
    100_000,
  ),
})

const sighting = z.strictObject({ id: word, purl: word, severity: word, found: z.boolean() })
const canary = z.strictObject({
  expected: list(sighting, 1000),
  inBand: list(sighting.extend({ platform: word, ecosystem: word }), 100_000).exactOptional(),
  notCovered: list(text, 100_000).exactOptional(),
})

/** Evidence of src/evidence/evidence.ts as it is read back, inside its document. */
export const evidenceSchema = z.strictObject({
  schema: z.literal(EVIDENCE_SCHEMA),
  evidence: z.strictObject({
    subject: known(imageSubject),
    platforms: list(platform, 1000),
    dockerfile: known(dockerfile),
    tools: known(list(toolFacts, 100)),
    isolation: known(isolation),
    database: known(databaseFacts),
    canary: known(canary),
    kev: known(z.strictObject({ version: word, date: word, entries: map(word) })),
    released: known(
      z.strictObject({
        digest: word,
        statements: list(
          z.strictObject({ predicateType: word, subjects: list(word, 10_000), signer: word }),
          10_000,
        ),
      }),
    ),
  }),
})
