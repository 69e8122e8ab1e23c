import { buildArguments, builderOf, buildVariables, failedStep } from '../../../src/build/docker-arguments.js'
import type { BuildRequest } from '../../../src/build/docker-arguments.js'
import { sourceLabels } from '../../../src/build/labels.js'

const plain: BuildRequest = {
  context: '/context',
  dockerfile: '/context/Dockerfile',
  buildArgs: [],
  labels: {},
  noCache: false,
  pull: false,
}
const abilities = (builder: 'buildkit' | 'buildx' | 'classic') => ({ client: '1', server: '1', builder })
const files = { iidFile: '/iid', tag: 't:1' }

test.each([
  ['28.2.2', true, 'buildx'],
  ['28.2.2', false, 'classic'],
  ['23.0.0', false, 'classic'],
  ['20.10.24+dfsg1', false, 'buildkit'],
  ['20.10.24', true, 'buildx'],
  ['17.9.0', false, 'classic'],
  ['unknown', false, 'classic'],
] as const)('client %s, plugin %s: %s', (client, plugin, builder) => {
  expect(builderOf(client, plugin)).toBe(builder)
})

test('every option reaches the engine, the context stands last behind --', () => {
  const request: BuildRequest = {
    ...plain,
    target: 'final',
    buildArgs: ['A=b c', 'B=$x'],
    platform: 'linux/arm64',
    labels: { one: 'a b', two: '--pull' },
    network: 'none',
    noCache: true,
    pull: true,
  }
  const args = buildArguments(request, abilities('classic'), files)
  for (const pair of [
    ['--target', 'final'],
    ['--build-arg', 'A=b c'],
    ['--build-arg', 'B=$x'],
    ['--platform', 'linux/arm64'],
    ['--label', 'one=a b'],
    ['--label', 'two=--pull'],
    ['--network', 'none'],
    ['--iidfile', '/iid'],
  ]) {
    expect(args.join('\n')).toContain(pair.join('\n'))
  }
  expect(args).toEqual(expect.arrayContaining(['--no-cache', '--pull']))
  expect(args.slice(-2)).toEqual(['--', '/context'])
})

test.each([
  ['buildx', true, '1'],
  ['buildkit', false, '1'],
  ['classic', false, '0'],
] as const)('%s: attestations off where known', (builder, known, kit) => {
  expect(buildArguments(plain, abilities(builder), files).includes('--provenance=false')).toBe(known)
  expect(buildVariables(abilities(builder))).toMatchObject({ DOCKER_BUILDKIT: kit })
})

test.each([
  ['nothing', 'no step here', undefined],
  ['classic', 'Step 1/2 : FROM a\nStep 2/2 : RUN false\nreturned a non-zero code: 1', '2/2 : RUN false'],
  ['BuildKit', '#5 [2/3] RUN a\n#5 DONE\n#6 [3/3] RUN false\n#6 ERROR: exit code: 1', '[3/3] RUN false'],
  [
    'BuildKit with its place',
    '#6 [2/2] RUN false\nDockerfile:3\n--------\n   3 | RUN false\n',
    'Dockerfile:3 [2/2] RUN false',
  ],
])('failed step: %s', (_name, output, step) => {
  expect(failedStep(output)).toBe(step)
})

test('labels: what was asked for wins over the context', () => {
  expect(
    sourceLabels(
      { source: 'https://example.test/a', revision: 'r' },
      { 'org.opencontainers.image.revision': 'x', own: 'y' },
    ),
  ).toEqual({
    'org.opencontainers.image.source': 'https://example.test/a',
    'org.opencontainers.image.revision': 'x',
    own: 'y',
  })
})
