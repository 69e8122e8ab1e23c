import type { BuildFacts } from '../../../src/evidence/provenance.js'
import { BUILD_TYPE, builderId, provenanceStatement } from '../../../src/evidence/provenance.js'
import { isRehearsal, parseStatement, subjectDigests } from '../../../src/evidence/statement.js'
import type { PlatformImage } from '../../../src/evidence/subject.js'

const digest = (letter: string) => `sha256:${letter.repeat(64)}` as const

function child(platform: string, letter: string): PlatformImage {
  return {
    platform,
    manifest: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: digest(letter), size: 1 },
    configDigest: digest('c'),
    configSize: 1,
    layers: [],
    config: {
      ...{ user: '', env: [], entrypoint: [], cmd: [], labels: {}, exposedPorts: [], history: [] },
    },
  }
}

const FACTS: BuildFacts = {
  image: {
    ...{ name: 'ghcr.io/acme/api', digest: digest('a'), size: 1, mediaType: 'index' },
    platforms: [child('linux/amd64', 'd'), child('linux/arm64', 'e')],
  },
  builder: 'workflow-step',
  version: '1.2.3',
  parameters: {
    ...{ image: 'ghcr.io/acme/api', context: '.', file: 'Dockerfile', buildArgs: ['A=1'] },
    ...{ platforms: ['linux/amd64', 'linux/arm64'], labels: {}, secrets: ['npmrc'] },
  },
  source: { repository: 'https://github.com/acme/api', commit: 'f'.repeat(40), ref: 'refs/heads/main' },
  workflow: 'acme/api/.github/workflows/image.yml@refs/heads/main',
  bases: [{ reference: 'docker.io/library/debian:12', digest: digest('b') }],
  engine: { name: 'buildx', version: '0.36.1' },
  tools: [{ name: 'trivy', version: '0.74.0', sha256: '1'.repeat(64) }],
  invocation: 'https://github.com/acme/api/actions/runs/1',
  startedOn: '2026-11-22T10:00:00Z',
  finishedOn: '2026-11-22T10:01:00Z',
  rehearsal: false,
}

describe('provenance', () => {
  test('speaks of index and children, and names the commit, every base and every program by digest', () => {
    const statement = provenanceStatement(FACTS)
    expect(subjectDigests(statement)).toEqual([digest('a'), digest('d'), digest('e')])
    expect(statement.predicateType).toBe('https://slsa.dev/provenance/v1')
    expect(statement.predicate).toMatchObject({
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: {
          ...{ context: '.', buildArgs: ['A=1'], secrets: ['npmrc'], workflow: FACTS.workflow },
          source: 'git+https://github.com/acme/api@refs/heads/main',
        },
        internalParameters: { engine: { name: 'buildx', version: '0.36.1' } },
        resolvedDependencies: [
          {
            uri: 'git+https://github.com/acme/api@refs/heads/main',
            digest: { gitCommit: 'f'.repeat(40) },
            name: 'source',
          },
          { uri: 'pkg:docker/docker.io/library/debian%3A12', digest: { sha256: 'b'.repeat(64) } },
          { uri: 'pkg:generic/trivy@0.74.0', digest: { sha256: '1'.repeat(64) } },
        ],
      },
      runDetails: {
        builder: { id: builderId('workflow-step'), version: { portcullis: '1.2.3' } },
        metadata: { invocationId: FACTS.invocation, startedOn: FACTS.startedOn },
      },
    })
    expect(isRehearsal(parseStatement(JSON.stringify(statement)))).toBe(false)
  })

  test('of a working tree names no source, and of a rehearsal says that it is one', () => {
    const { source, workflow, invocation, ...rest } = FACTS
    expect([source, workflow, invocation]).not.toContain(undefined)
    const statement = provenanceStatement({ ...rest, builder: 'terminal', rehearsal: true })
    const text = JSON.stringify(statement)
    expect(text).not.toContain('git+')
    expect(text).not.toContain('workflow"')
    expect(text).not.toContain('invocationId')
    expect(isRehearsal(parseStatement(text))).toBe(true)
  })
})
