import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { RunRecord } from '../../src/record/record.js'
import {
  openBench,
  policyText,
  recordOf,
  runGate,
  type Bench,
  type GateResult,
  type Project,
} from '../support/gate-runs.js'
import { digestOf, writeImage, writeIndex, type LayoutFile, type LayoutImage } from '../support/layouts.js'
import { startLyingRegistry, type LyingRegistry } from '../support/lying-registry.js'
import {
  AMD64,
  ARM64,
  buildkitAttestation,
  disguisedImage,
  imageFor,
  nestedLayout,
  type IndexEntry,
  type NestedLayout,
} from '../support/platform-layouts.js'
import { nodePackage, wheel } from '../support/sample-image.js'
import { mustEndWith, portcullis } from '../support/terminal.js'
import { run, toolPath } from '../support/tools.js'

const CLEAN: readonly LayoutFile[] = wheel('idna', '3.7')
const VULNERABLE: readonly LayoutFile[] = [...CLEAN, ...nodePackage('minimist', '1.2.5')]
const ADVISORY = 'CVE-2021-44906'

let bench: Bench

beforeAll(async () => {
  bench = await openBench()
})

afterAll(async () => {
  await bench.close()
})

interface Prepared extends Project, NestedLayout {}

async function prepare(
  images: readonly LayoutImage[],
  more?: (dir: string, made: NestedLayout['images']) => Promise<readonly IndexEntry[]>,
): Promise<Prepared> {
  const dir = await bench.folder('project')
  await mkdir(join(dir, '.github'))
  await writeFile(join(dir, '.github', 'portcullis.yml'), policyText())
  const layout = join(dir, 'layout')
  const nested = await nestedLayout(layout, images, made => more?.(layout, made) ?? Promise.resolve([]))
  return { dir, layout, ...nested }
}

function violationsOf(record: RunRecord) {
  const result = record.verdict?.results.find(one => one.rule === 'vulnerability.severity')
  return result?.violations ?? []
}

async function annotationsOf(result: GateResult): Promise<string> {
  const { stdout } = await portcullis(
    ['report', join(result.reportDir, 'portcullis.json'), '--format', 'annotations'],
    { cwd: result.tmp, env: { HOME: result.home, TMPDIR: result.tmp, PATH: '/usr/bin:/bin' } },
  )
  return stdout
}

/** The line or row of a report that names the advisory. */
function lineAbout(report: string): string {
  return report.split('\n').find(line => line.includes(ADVISORY)) ?? ''
}

describe('an index whose vulnerable package is only in arm64', () => {
  let result: GateResult
  let record: RunRecord

  beforeAll(async () => {
    const project = await prepare([imageFor(AMD64, CLEAN), imageFor(ARM64, VULNERABLE)])
    result = await runGate(bench, project, { repository: 'only-arm' })
    record = recordOf(result)
  })

  it('fails, and nothing is pushed', async () => {
    mustEndWith(1, result)
    expect([record.outcome, record.reason, record.problems]).toEqual(['fail', 'vulnerability.severity', []])
    expect(record.subject?.platforms.map(one => one.platform)).toEqual(['linux/amd64', 'linux/arm64'])
    expect(await bench.registry.catalog()).not.toContain('only-arm')
  })

  it('the violation names arm64 alone', () => {
    expect(violationsOf(record)).toMatchObject([{ advisory: ADVISORY, platforms: ['linux/arm64'] }])
  })

  it('terminal, summary and annotations say so', async () => {
    const summary = await readFile(join(result.reportDir, 'summary.md'), 'utf8')
    expect(lineAbout(summary)).toContain('linux/arm64')
    expect(lineAbout(await annotationsOf(result))).toContain('linux/arm64')
    const lines = result.stdout.split('\n')
    const at = lines.findIndex(line => line.includes(ADVISORY))
    expect(lines.slice(at, at + 2).join('\n')).toContain('linux/arm64')
    const shown = [summary, await annotationsOf(result), result.stdout].flatMap(text => text.split('\n'))
    for (const line of shown.filter(one => !/\bSBOM\b/.test(one))) expect(line).not.toContain('linux/amd64')
  })
})

describe('the same vulnerable package on both platforms', () => {
  it('is one violation with two platforms, and the reports say both', async () => {
    const project = await prepare([imageFor(AMD64, VULNERABLE), imageFor(ARM64, VULNERABLE)])
    const result = await runGate(bench, project, { repository: 'both-vulnerable' })
    const record = recordOf(result)
    mustEndWith(1, result)
    expect(violationsOf(record)).toMatchObject([
      { advisory: ADVISORY, platforms: ['linux/amd64', 'linux/arm64'] },
    ])
    expect(record.counts.critical).toBe(1)
    const summary = await readFile(join(result.reportDir, 'summary.md'), 'utf8')
    expect(lineAbout(summary)).toContain('both platforms')
    expect(lineAbout(await annotationsOf(result))).toContain('both platforms')
    expect(result.stdout).toContain('both platforms')
  })
})

describe('a runnable child dressed as an attestation', () => {
  it('is refused before any scanner starts', async () => {
    const project = await prepare([imageFor(AMD64, CLEAN)], async (dir, [first]) =>
      first === undefined ? [] : [await disguisedImage(dir, first, imageFor(ARM64, VULNERABLE))],
    )
    const result = await runGate(bench, project, { repository: 'disguised' })
    const record = recordOf(result)
    expect([result.code, record.outcome, record.reason]).toEqual([3, 'incomplete', 'attestation-disguise'])
    expect(record.stages.map(stage => stage.stage)).not.toContain('inspect')
    expect(await bench.registry.catalog()).not.toContain('disguised')
  })
})

describe('a layout that names both platforms in index.json itself', () => {
  it('is released as the index that this file is', async () => {
    const project = await prepare([])
    const made = []
    for (const platform of [AMD64, ARM64])
      made.push(await writeImage(project.layout, imageFor(platform, CLEAN)))
    await writeIndex(
      project.layout,
      made.map(image => image.descriptor),
    )
    const digest = digestOf(await readFile(join(project.layout, 'index.json')))
    const result = await runGate(bench, project, { repository: 'flat' })
    mustEndWith(0, result)
    expect(recordOf(result).subject?.platforms.map(one => one.platform)).toEqual([
      'linux/amd64',
      'linux/arm64',
    ])
    const { stdout } = await run(toolPath('crane'), ['digest', `${bench.registry.host}/flat:1.0.0`])
    expect(stdout.trim()).toBe(digest)
  })
})

const spdxSchema = z.object({
  packages: z.array(
    z.object({ SPDXID: z.string(), checksums: z.array(z.object({ checksumValue: z.string() })).optional() }),
  ),
  relationships: z.array(
    z.object({ spdxElementId: z.string(), relatedSpdxElement: z.string(), relationshipType: z.string() }),
  ),
})
const cdxSchema = z.object({ metadata: z.object({ component: z.object({ version: z.string() }) }) })
const envelopeSchema = z.object({ payload: z.string() })
const statementSchema = z.object({
  predicateType: z.string(),
  subject: z.array(z.object({ digest: z.object({ sha256: z.string() }) })),
})
const bundleSchema = z.object({ dsseEnvelope: envelopeSchema })

const ONE_CHILD = [
  'https://spdx.dev/Document',
  'https://cyclonedx.org/bom',
  'https://cosign.sigstore.dev/attestation/vuln/v1',
]
const INDEX_AND_CHILDREN = ['https://sigstore.dev/cosign/sign/v1', 'https://slsa.dev/verification_summary/v1']

describe('the release of two platforms with the attestations of BuildKit beside them', () => {
  let watched: LyingRegistry
  let project: Prepared
  let result: GateResult
  let record: RunRecord

  beforeAll(async () => {
    watched = await startLyingRegistry(bench.registry.host)
    project = await prepare([imageFor(AMD64, CLEAN), imageFor(ARM64, CLEAN)], (dir, made) =>
      Promise.all(made.map(image => buildkitAttestation(dir, image))),
    )
    result = await runGate(bench, project, {
      repository: 'two',
      host: watched.host,
      publish: ['--publish', 'always', '--tags', '1.0.0\n1.0', '--sign', 'key', '--key', bench.key.key],
    })
    record = recordOf(result)
  })

  afterAll(async () => {
    await watched.stop()
  })

  const digests = () => [project.indexDigest, ...project.images.map(image => image.descriptor.digest)]

  it('passes; the attestations are no platforms', () => {
    mustEndWith(0, result)
    expect([record.outcome, record.release.state, record.problems]).toEqual(['pass', 'released', []])
    expect(record.subject?.digest).toBe(project.indexDigest)
    expect(record.subject?.platforms.map(one => [one.platform, one.manifest.digest])).toEqual([
      ['linux/amd64', project.images[0]?.descriptor.digest],
      ['linux/arm64', project.images[1]?.descriptor.digest],
    ])
  })

  it('has SBOMs and a report of each child, each SBOM about that child', async () => {
    for (const [at, platform] of ['linux-amd64', 'linux-arm64'].entries()) {
      const child = project.images[at]?.descriptor.digest ?? ''
      const read = async (name: string): Promise<unknown> =>
        JSON.parse(await readFile(join(result.reportDir, name), 'utf8'))
      const spdx = spdxSchema.parse(await read(`sbom.${platform}.spdx.json`))
      const described = spdx.relationships.filter(row => row.relationshipType === 'DESCRIBES')
      const root = spdx.packages.find(one => one.SPDXID === described[0]?.relatedSpdxElement)
      expect(root?.checksums?.map(sum => `sha256:${sum.checksumValue}`)).toEqual([child])
      const cdx = cdxSchema.parse(await read(`sbom.${platform}.cdx.json`))
      expect(cdx.metadata.component.version).toBe(child)
      expect(record.files.map(file => file.path)).toContain(`vulnerabilities.${platform}.trivy.json`)
    }
  })

  it('index and children are served by digest, with the bytes that were judged', async () => {
    const accept = 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json'
    for (const digest of digests()) {
      const answer = await bench.registry.fetch(`two/manifests/${digest}`, accept)
      expect([digest, answer.status]).toEqual([digest, 200])
      const served = Buffer.from(await answer.arrayBuffer())
      expect(served.equals(await readFile(blobFile(project, digest)))).toBe(true)
    }
  })

  it('the statements have the right subjects', async () => {
    const seen: string[] = []
    for (const file of new Set(record.release.bundles.map(bundle => bundle.file))) {
      const bundle = bundleSchema.parse(JSON.parse(await readFile(join(result.reportDir, file), 'utf8')))
      const statement = statementOf(bundle.dsseEnvelope)
      const subjects = statement.subject.map(one => `sha256:${one.digest.sha256}`)
      seen.push(statement.predicateType)
      if (ONE_CHILD.includes(statement.predicateType)) {
        expect([file, subjects.length]).toEqual([file, 1])
        expect(digests().slice(1)).toContain(subjects[0])
      } else {
        expect(INDEX_AND_CHILDREN).toContain(statement.predicateType)
        expect(subjects).toEqual(digests())
      }
    }
    expect(seen.toSorted()).toEqual([...ONE_CHILD, ...ONE_CHILD, ...INDEX_AND_CHILDREN].toSorted())
    const carried = (digest: string): readonly string[] =>
      record.release.bundles.filter(one => one.attachedTo === digest).map(one => one.predicateType)
    const [index = '', ...children] = digests()
    expect(carried(index).toSorted()).toEqual(INDEX_AND_CHILDREN.toSorted())
    for (const child of children)
      expect(carried(child).toSorted()).toEqual([...ONE_CHILD, ...INDEX_AND_CHILDREN].toSorted())
  })

  const KEY = (): readonly string[] => ['--key', bench.key.publicKey, '--insecure-ignore-tlog', '-o', 'json']

  it('cosign verifies index and children', async () => {
    for (const digest of digests()) {
      const reference = `${bench.registry.host}/two@${digest}`
      const { stdout } = await run(toolPath('cosign'), ['verify', ...KEY(), reference])
      expect(stdout).toContain('https://sigstore.dev/cosign/sign/v1')
    }
  })

  it('cosign finds the SPDX statement of exactly that child', async () => {
    for (const child of digests().slice(1)) {
      const { stdout } = await run(toolPath('cosign'), [
        ...['verify-attestation', ...KEY(), '--type', 'https://spdx.dev/Document'],
        `${bench.registry.host}/two@${child}`,
      ])
      const statement = statementOf(envelopeSchema.parse(JSON.parse(stdout.trim().split('\n')[0] ?? '')))
      expect(statement.subject.map(one => `sha256:${one.digest.sha256}`)).toEqual([child])
    }
  })

  it('both tags point at the index, and were the last things written', async () => {
    expect((await bench.registry.tags('two')).toSorted()).toEqual(['1.0', '1.0.0'])
    for (const tag of ['1.0', '1.0.0']) {
      const { stdout } = await run(toolPath('crane'), ['digest', `${bench.registry.host}/two:${tag}`])
      expect(stdout.trim()).toBe(project.indexDigest)
    }
    const writes = watched.requests.filter(request => /^(PUT|POST|PATCH|DELETE) /.test(request))
    const isTag = (request: string): boolean => /\/manifests\/1\.0(\.0)?$/.test(request)
    expect(writes.filter(isTag)).toHaveLength(2)
    expect(writes.slice(-2).every(isTag)).toBe(true)
  })
})

function blobFile(project: Project, digest: string): string {
  return join(project.layout, 'blobs', 'sha256', digest.replace('sha256:', ''))
}

function statementOf(envelope: { readonly payload: string }): z.infer<typeof statementSchema> {
  return statementSchema.parse(JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')))
}
