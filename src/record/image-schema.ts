import * as z from 'zod'
import { count, digest, list, map, sha256, text, word } from './bounds.js'

const descriptor = z.strictObject({ mediaType: word, digest, size: count })

const imageConfig = z.strictObject({
  user: word,
  env: list(text, 10_000),
  entrypoint: list(text, 10_000),
  cmd: list(text, 10_000),
  labels: map(text),
  exposedPorts: list(word, 100_000),
  onBuild: list(text, 10_000).exactOptional(),
  history: list(
    z.strictObject({ createdBy: text, emptyLayer: z.boolean(), comment: text.exactOptional() }),
    10_000,
  ),
  created: word.exactOptional(),
})

const platformImage = z.strictObject({
  platform: word,
  manifest: descriptor,
  configDigest: digest,
  configSize: count,
  layers: list(descriptor.extend({ diffId: digest }), 1000),
  config: imageConfig,
})

/** ImageSubject of src/evidence/subject.ts, read back. */
export const imageSubject = z.strictObject({
  name: word,
  digest,
  mediaType: word,
  size: count,
  platforms: list(platformImage, 1000),
})

/** ToolFacts of src/evidence/tooling.ts, read back. */
export const toolFacts = z.strictObject({
  name: z.enum(['trivy', 'syft', 'cosign', 'crane']),
  version: word,
  source: z.enum(['release', 'mirror', 'dir', 'path', 'source']),
  sha256,
  verified: z.boolean(),
})

/** Isolation of src/evidence/tooling.ts, read back. */
export const isolation = z.enum(['other-user', 'user-namespace', 'bubblewrap', 'none'])

const database = z.strictObject({
  sha256,
  size: count,
  updatedAt: word,
  nextUpdate: word.exactOptional(),
  origin: word,
  manifest: digest.exactOptional(),
})

/** DatabaseFacts of src/evidence/tooling.ts, read back. */
export const databaseFacts = database.extend({
  lastSize: count.exactOptional(),
  java: database.exactOptional(),
})

/** MinimumElements of src/evidence/minimum-elements.ts, read back. */
export const minimumElements = z.strictObject({
  packages: count,
  lacking: z.strictObject({
    supplier: count,
    name: count,
    version: count,
    identifier: count,
    relationship: count,
  }),
  author: z.boolean(),
  timestamp: z.boolean(),
})
