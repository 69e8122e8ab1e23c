import { builderProblem, parseBuilder } from '../../../src/build/builder-facts.js'
import { buildxArguments, contextsWithBases } from '../../../src/build/buildx-arguments.js'
import { compareBases, parseMetadata } from '../../../src/build/buildx-metadata.js'
import { csv } from '../../../src/build/secrets.js'
import { EVERYTHING, holds, PLAIN } from './requests.js'

const A = `sha256:${'a'.repeat(64)}`
const B = `sha256:${'b'.repeat(64)}`
const secrets = { args: ['--secret', 'id=npm,env=OURS'], variables: { OURS: 'value' }, redacted: ['value'] }
const layout = { kind: 'layout', dir: '/out', metadataFile: '/meta' } as const

test('every option reaches buildx, no value of a secret does, the context stands last behind --', () => {
  const args = buildxArguments(EVERYTHING, { builder: 'mine', secrets, output: layout })
  for (const wanted of [
    ['build', '--builder', 'mine'],
    ['--file', '/context/Dockerfile'],
    ['--target', 'final'],
    ['--build-arg', 'A=b c', '--build-arg', 'B=$x'],
    ['--platform', 'linux/amd64,linux/arm64'],
    ['--label', 'one=a b', '--label', 'two=--pull'],
    ['--annotation', 'note=x=y'],
    ['--build-context', 'lib=/lib folder'],
    ['--secret', 'id=npm,env=OURS'],
    ['--ssh', 'default', '--ssh', 'key=/agent'],
    ['--cache-from', 'type=registry,ref=r/c'],
    ['--network', 'none'],
    ['--no-cache'],
    ['--pull'],
    ['--provenance=false', '--sbom=false'],
    ['--output', 'type=oci,dest=/out,tar=false', '--metadata-file', '/meta'],
  ]) {
    expect([wanted, holds(args, wanted)]).toEqual([wanted, true])
  }
  expect(args.slice(-2)).toEqual(['--', '/context'])
  expect(args.join(' ')).not.toContain('value')
})

test('caches are written by no build, only by the call for them, which uses what is cached', () => {
  const build = buildxArguments(EVERYTHING, { secrets, output: layout })
  expect(build).not.toContain('--cache-to')
  const cache = buildxArguments(EVERYTHING, { secrets, output: { kind: 'cache', to: EVERYTHING.cacheTo } })
  expect(holds(cache, ['--cache-to', 'type=registry,ref=r/c,mode=max'])).toBe(true)
  expect(holds(cache, ['--output', 'type=cacheonly'])).toBe(true)
  expect(cache).not.toContain('--no-cache')
})

test('a checked base becomes a context of its digest, one that is pinned or replaced by name does not', () => {
  const bases = [
    { reference: 'debian:12', digest: A },
    { reference: `alpine@${B}`, digest: B },
  ]
  expect(contextsWithBases({ ...PLAIN, bases })).toEqual({ 'debian:12': `docker-image://debian:12@${A}` })
  const buildContexts = { 'debian:12': '/other' }
  expect(contextsWithBases({ bases, buildContexts })).toEqual(buildContexts)
})

test.each([
  [['a=b', 'c'], 'a=b,c'],
  [['src=/a, b/"c"'], '"src=/a, b/""c"""'],
])('csv of %j', (fields, text) => {
  expect(csv(fields)).toBe(text)
})

const node = (lines: readonly string[]) => `Name:   b\nDriver: remote\n\nNodes:\n${lines.join('\n')}\n`

test.each([
  [
    'a remote builder',
    node(['Status: running', 'BuildKit version: v0.32.2', 'Features:', ' OCI exporter:   true']),
    undefined,
  ],
  ['a version without features', 'Name: b\nDriver: docker-container\n', undefined],
  [
    'the classic store of Docker',
    'Name: b\nDriver: docker\n\nNodes:\nName: b\nFeatures:\n\tOCI exporter:  false\n',
    "builder 'b' (driver docker) cannot export an OCI layout",
  ],
  ['an old buildx with the docker driver', 'Name: b\nDriver: docker\n', 'cannot export an OCI layout'],
  [
    'two nodes, one of which cannot',
    node(['Status: running', 'OCI exporter: true', 'OCI exporter: false']),
    'cannot export an OCI layout',
  ],
  [
    'a remote builder that is gone',
    node(['Status:   inactive', 'OCI exporter: true']),
    "'b' (driver remote) does not answer",
  ],
  ['a container that buildx will start', 'Name: b\nDriver: docker-container\nStatus: inactive\n', undefined],
  ['no daemon', 'Name:   default\nDriver: \nError:  no socket\n', "'default' does not answer: no socket"],
])('builder: %s', (_, text, problem) => {
  const facts = parseBuilder(text)
  if (facts === undefined) throw new Error('it is understood')
  if (problem === undefined) expect(builderProblem(facts)).toBeUndefined()
  else expect(builderProblem(facts)).toContain(problem)
})

test.each(['', 'Driver: remote', 'ERROR: no builder'])('not the answer of buildx: %j', text => {
  expect(parseBuilder(text)).toBeUndefined()
})

const material = (uri: string, digest: string) => ({ uri, digest: { sha256: digest.slice(7) } })
const used = (materials: readonly unknown[]) =>
  parseMetadata(
    JSON.stringify({ 'containerimage.digest': A, 'buildx.build.provenance/linux/amd64': { materials } }),
  ).images ?? []

test('the metadata name the image and the images it was built from', () => {
  const images = used([
    material('pkg:docker/127.0.0.1%3A5000/base@1?digest=x&platform=linux%2Famd64', A),
    material('pkg:docker/debian@bookworm?platform=linux%2Famd64', B),
    material(`pkg:docker/alpine@${B}`, B),
    { uri: 'https://example.test/file', digest: {} },
  ])
  expect(images).toEqual([
    { name: '127.0.0.1:5000/base', tag: '1', digest: A },
    { name: 'docker.io/library/debian', tag: 'bookworm', digest: B },
    { name: 'docker.io/library/alpine', digest: B },
  ])
})

test.each(['', '[]', '{}', '{"containerimage.digest":"sha256:0a"}'])('metadata refused: %s', text => {
  expect(() => parseMetadata(text)).toThrow('does not say which image it built')
})

test('metadata without bases say so', () => {
  expect(parseMetadata(JSON.stringify({ 'containerimage.digest': A })).images).toBeUndefined()
})

const debian = { reference: 'debian', digest: A }

test.each([
  ['the checked digest', [debian], [material('pkg:docker/debian@latest', A)], false],
  ['another digest', [debian], [material('pkg:docker/debian@latest', B)], true],
  ['another tag', [debian], [material('pkg:docker/debian@12', B)], false],
  ['another repository', [debian], [material('pkg:docker/acme/debian@latest', B)], false],
  ['not read at all', [debian], [], false],
  [
    'the same name, pinned elsewhere in the Dockerfile',
    [debian, { reference: `debian:latest@${B}`, digest: B }],
    [material('pkg:docker/debian@latest', B)],
    false,
  ],
])('bases: %s', (_, bases, materials, changed) => {
  const compare = () => compareBases(bases, used(materials))
  if (changed) expect(compare).toThrow('debian was sha256:aaa')
  else expect(compare).not.toThrow()
})
