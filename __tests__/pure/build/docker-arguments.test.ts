import {
  buildArguments,
  builderOf,
  buildVariables,
  dockerRefusals,
} from '../../../src/build/docker-arguments.js'
import { failedStep } from '../../../src/build/failed-step.js'
import { sourceLabels } from '../../../src/build/labels.js'
import { EVERYTHING, holds, NO_SECRETS, PLAIN } from './requests.js'

const abilities = (builder: 'buildkit' | 'buildx' | 'classic') => ({ client: '1', server: '1', builder })
const files = { iidFile: '/iid', tag: 't:1', dockerfile: '/private/Dockerfile', secrets: NO_SECRETS }

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
  const secrets = { args: ['--secret', 'id=npm,src=/secret'], variables: {}, redacted: ['value'] }
  const args = buildArguments(EVERYTHING, abilities('buildx'), { ...files, secrets })
  for (const wanted of [
    ['--file', '/private/Dockerfile'],
    ['--target', 'final'],
    ['--build-arg', 'A=b c', '--build-arg', 'B=$x'],
    ['--label', 'one=a b', '--label', 'two=--pull'],
    ['--build-context', 'lib=/lib folder'],
    ['--secret', 'id=npm,src=/secret'],
    ['--ssh', 'default', '--ssh', 'key=/agent'],
    ['--cache-from', 'type=registry,ref=r/c'],
    ['--network', 'none'],
    ['--iidfile', '/iid'],
    ['--no-cache'],
    ['--pull'],
  ]) {
    expect([wanted, holds(args, wanted)]).toEqual([wanted, true])
  }
  expect(args.slice(-2)).toEqual(['--', '/context'])
  expect(args.join(' ')).not.toContain('cache-to')
})

test.each([
  ['buildx', ['buildx', 'build'], true, '1'],
  ['buildkit', ['build', '--iidfile'], false, '1'],
  ['classic', ['build', '--iidfile'], false, '0'],
] as const)('%s: its command, attestations off where known', (builder, command, known, kit) => {
  const args = buildArguments(PLAIN, abilities(builder), files)
  expect(args.slice(0, 2)).toEqual(command)
  expect(args.includes('--provenance=false')).toBe(known)
  expect(buildVariables(abilities(builder))).toMatchObject({ DOCKER_BUILDKIT: kit })
})

const NEVER = ['platforms (more than one)', 'annotations', 'builder', 'cache-to']

test.each([
  ['buildx', NEVER],
  ['buildkit', [...NEVER, 'build-contexts', 'cache-from (but by image)']],
  ['classic', [...NEVER, 'build-contexts', 'secrets', 'ssh', 'cache-from (but by image)']],
] as const)('%s refuses by name what it would drop', (builder, refused) => {
  expect(dockerRefusals(EVERYTHING, builder)).toEqual(refused)
  const one = { ...PLAIN, platforms: ['linux/arm64'], cacheFrom: ['registry.example:5000/a:1'] }
  expect(dockerRefusals(one, builder)).toEqual([])
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
