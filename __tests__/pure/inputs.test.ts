import { GateError } from '../../src/errors.js'
import { parseImageName } from '../../src/evidence/reference.js'
import { readInputs } from '../../src/inputs.js'
import { BUILD_INPUTS } from '../../src/inputs-build.js'
import { INPUTS, subjectText, type Request } from '../../src/request.js'

type Values = Readonly<Record<string, string>>

const IMAGE = 'ghcr.io/acme/api'
const DIGEST = `sha256:${'a'.repeat(64)}`

function read(values: Values, sigil = ''): Request {
  return readInputs(name => values[name] ?? '', { sigil })
}

/** The problems of a set of inputs, one a line; [] when they are taken. */
function problems(values: Values, sigil = ''): readonly string[] {
  try {
    read(values, sigil)
  } catch (thrown) {
    if (!(thrown instanceof GateError)) throw thrown
    expect([thrown.code, thrown.reason]).toEqual(['config', 'inputs-invalid'])
    return thrown.message.split('\n')
  }
  return []
}

it.each(['oci-layout:a b', 'archive:a:b.tar', 'docker:app:1', `registry:${IMAGE}@${DIGEST}`])(
  'says the subject as given: %s',
  subject => {
    expect(subjectText(read({ image: IMAGE, subject }).subject)).toBe(subject)
  },
)

it('reads the defaults', () => {
  expect(read({ image: IMAGE })).toEqual({
    image: IMAGE,
    subject: { kind: 'build' },
    context: '.',
    file: 'Dockerfile',
    buildArgs: [],
    platforms: [],
    labels: {},
    annotations: {},
    buildContexts: {},
    secrets: [],
    ssh: [],
    cacheFrom: [],
    cacheTo: [],
    engine: 'auto',
    noCache: false,
    pull: false,
    publish: 'auto',
    tags: [],
    overwrite: [],
    embeddedRegistry: false,
    tools: 'auto',
    output: 'portcullis-report',
    timeoutMs: 3_600_000,
  })
})

it.each<[string, Values, Partial<Request>]>([
  [
    'a ready layout',
    { subject: 'oci-layout:out/image' },
    { subject: { kind: 'oci-layout', dir: 'out/image' } },
  ],
  ['a colon in the folder', { subject: 'oci-layout:a:b' }, { subject: { kind: 'oci-layout', dir: 'a:b' } }],
  [
    'an archive',
    { subject: 'archive:out/image.tar' },
    { subject: { kind: 'archive', file: 'out/image.tar' } },
  ],
  [
    'an image of the engine',
    { subject: 'docker:a/b:1' },
    { subject: { kind: 'docker', reference: 'a/b:1' } },
  ],
  [
    'an id of the engine',
    { subject: 'docker:sha256:0a' },
    { subject: { kind: 'docker', reference: 'sha256:0a' } },
  ],
  [
    'an image of a registry, its tag left out',
    { subject: `registry:${IMAGE}:1@${DIGEST}` },
    { subject: { kind: 'registry', image: parseImageName(IMAGE), digest: `sha256:${'a'.repeat(64)}` } },
  ],
  ['build arguments', { 'build-args': ' A=1 \n\nB=x=y\nC=' }, { buildArgs: ['A=1', 'B=x=y', 'C='] }],
  [
    'labels',
    { labels: 'org.opencontainers.image.title=api' },
    { labels: { 'org.opencontainers.image.title': 'api' } },
  ],
  ['a platform', { platforms: 'linux/arm64/v8' }, { platforms: ['linux/arm64/v8'] }],
  [
    'platforms by commas and lines, each once',
    { platforms: 'linux/amd64, linux/arm64\nlinux/amd64' },
    { platforms: ['linux/amd64', 'linux/arm64'] },
  ],
  ['annotations', { annotations: 'a.b/c=d e' }, { annotations: { 'a.b/c': 'd e' } }],
  [
    'named contexts',
    {
      'build-contexts': `debian:12=docker-image://debian@${DIGEST}\nlib=../lib\nlocal/base=oci-layout://a b@${DIGEST}`,
    },
    {
      buildContexts: {
        'debian:12': `docker-image://debian@${DIGEST}`,
        lib: '../lib',
        'local/base': `oci-layout://a b@${DIGEST}`,
      },
    },
  ],
  [
    'secrets by file and by variable',
    { secrets: 'id=npm,src=a, b/.npmrc\nid=token.2,env=GITHUB_TOKEN' },
    {
      secrets: [
        { id: 'npm', file: 'a, b/.npmrc' },
        { id: 'token.2', env: 'GITHUB_TOKEN' },
      ],
    },
  ],
  ['agents', { ssh: 'default\nkey=/run/agent' }, { ssh: ['default', 'key=/run/agent'] }],
  [
    'caches',
    { 'cache-from': 'ghcr.io/a/cache\ntype=local,src=c', 'cache-to': 'type=registry,ref=a/b,mode=max' },
    {
      cacheFrom: ['ghcr.io/a/cache', 'type=local,src=c'],
      cacheTo: ['type=registry,ref=a/b,mode=max'],
    },
  ],
  ['a builder', { builder: 'my-builder_1' }, { builder: 'my-builder_1' }],
  ...(['auto', 'buildx', 'docker', 'buildah'] as const).map((engine): [string, Values, Partial<Request>] => [
    `the engine ${engine}`,
    { engine },
    { engine },
  ]),
  ['tags, each once', { tags: '1.0.0, 1.0\n1.0.0' }, { tags: ['1.0.0', '1.0'] }],
  ['tags that follow from the ref', { tags: 'auto' }, { tags: ['auto'] }],
  [
    'tags as full references',
    { tags: 'ghcr.io/acme/api:1.0.0\nghcr.io/acme/api:latest' },
    { tags: ['1.0.0', 'latest'] },
  ],
  [
    'a tag that may move',
    { tags: '1.0.0,latest', overwrite: 'ghcr.io/acme/api:latest' },
    { tags: ['1.0.0', 'latest'], overwrite: ['latest'] },
  ],
  ['a key', { sign: 'key', key: 'env://KEY' }, { sign: 'key', key: 'env://KEY' }],
  ['no signature', { sign: 'none' }, { sign: 'none' }],
  ['the host of the image as registry', { registry: 'ghcr.io' }, { embeddedRegistry: false }],
  ['the embedded registry', { registry: 'embedded' }, { embeddedRegistry: true }],
  [
    'a name and a password',
    { 'registry-username': 'u', 'registry-password': 'p' },
    { registryUsername: 'u', registryPassword: 'p' },
  ],
  ['a mirror', { tools: 'mirror:https://mirror.example/x' }, { tools: 'mirror:https://mirror.example/x' }],
  ['a folder of tools', { tools: 'dir:C:/tools' }, { tools: 'dir:C:/tools' }],
  ['a time limit', { timeout: '5' }, { timeoutMs: 300_000 }],
  ['blanks around', { image: `  ${IMAGE}  `, publish: ' always ' }, { image: IMAGE, publish: 'always' }],
])('takes %s', (_, values, expected) => {
  expect(read({ image: IMAGE, ...values })).toMatchObject(expected)
})

it.each([
  ...['true', 'True', 'TRUE'].map(text => [text, true] as const),
  ...['false', 'False', 'FALSE', ''].map(text => [text, false] as const),
])('reads the boolean %j', (text, expected) => {
  expect(read({ image: IMAGE, 'no-cache': text, pull: text })).toMatchObject({
    noCache: expected,
    pull: expected,
  })
})

it.each(['yes', 'no', 'on', 'off', '1', '0', 'y', 'tRue', 'truee'])('refuses the boolean %j', text => {
  expect(problems({ image: IMAGE, pull: text })).toEqual([`pull: expected true or false, got '${text}'.`])
})

it.each<[Values, string]>([
  [{ image: '' }, 'image: missing. Give the name to release'],
  [
    { image: 'ghcr.io/acme/api:1' },
    'image: image "ghcr.io/acme/api:1" is not a valid name: leave out the tag',
  ],
  [{ image: 'https://ghcr.io/a' }, 'image: '],
  [{ image: 'ghcr.io/Acme/api' }, 'image: '],
  ...[
    'oci-layout:',
    'archive:',
    'docker:',
    'docker:--all',
    'docker:a b',
    'registry:',
    'dir:x',
    'app.tar',
  ].map((subject): [Values, string] => [
    { subject },
    `subject: expected oci-layout:DIR, archive:FILE, docker:REF or registry:REF@sha256:…, got '${subject}'.`,
  ]),
  [{ subject: 'registry:ghcr.io/a/b:1' }, "subject: 'ghcr.io/a/b:1' names no digest."],
  [
    { subject: 'registry:ghcr.io/a/b@sha256:0a' },
    'subject: image "ghcr.io/a/b@sha256:0a" is not a valid name',
  ],
  [{ subject: `registry:--x@${DIGEST}` }, 'subject: image '],
  [{ platforms: 'linux/amd64,--x' }, "platforms: expected os/arch or os/arch/variant, got '--x'."],
  [{ annotations: 'index:a=b' }, "annotations: expected NAME=VALUE on each line, got 'index:a'."],
  [{ 'build-contexts': 'a' }, "build-contexts: expected NAME=VALUE on each line, got 'a'."],
  [{ 'build-contexts': 'a=' }, "build-contexts: 'a' expects a folder, or one of oci-layout://"],
  [{ 'build-contexts': 'a=http://x' }, "build-contexts: 'a' expects a folder, or one of oci-layout://"],
  [{ secrets: 'hunter2' }, 'secrets: expected id=NAME,src=FILE or id=NAME,env=VARIABLE on each line; line 1'],
  [{ secrets: 'id=a,src=' }, 'secrets: expected id=NAME,src=FILE'],
  [{ secrets: 'id=a,env=A-B' }, 'secrets: expected id=NAME,src=FILE'],
  [{ secrets: 'id=a,env=A\nid=a,src=f' }, "secrets: 'a' is given twice."],
  [
    { secrets: 'id=a,env=ACTIONS_ID_TOKEN_REQUEST_TOKEN' },
    'secrets: ACTIONS_ID_TOKEN_REQUEST_TOKEN belongs to the runner and is handed to no build.',
  ],
  [{ secrets: 'id=a,env=GITHUB_ENV' }, 'secrets: GITHUB_ENV belongs to the runner'],
  [{ ssh: '/run/agent' }, "ssh: expected default or ID=SOCKET on each line, got '/run/agent'."],
  [{ 'cache-to': 'type=gha,mode=max' }, "cache-to: type=gha needs the runner's token"],
  [{ 'cache-to': 'type=inline' }, 'cache-to: type=inline would be part of the image'],
  [{ 'cache-from': '--x' }, "cache-from: expected type=TYPE,… or an image on each line, got '--x'."],
  [{ builder: '--x' }, "builder: '--x' is not the name of a builder."],
  [{ platforms: 'amd64' }, "platforms: expected os/arch or os/arch/variant, got 'amd64'."],
  [{ 'build-args': 'A' }, "build-args: expected NAME=VALUE on each line, got 'A'."],
  [{ 'build-args': '=x' }, "build-args: expected NAME=VALUE on each line, got ''."],
  [{ 'build-args': 'A=1\nA=2' }, "build-args: 'A' is given twice."],
  [{ labels: 'a b=1' }, "labels: expected NAME=VALUE on each line, got 'a b'."],
  [{ network: 'bridge' }, 'network: expected '],
  [{ engine: 'kaniko' }, "engine: expected 'auto' or 'buildx' or 'docker' or 'buildah', got 'kaniko'."],
  [{ publish: 'maybe' }, "publish: expected 'auto' or 'never' or 'always', got 'maybe'."],
  [{ sign: 'kms' }, "sign: 'kms' is not available yet in this version. Use 'keyless' or 'key' or 'none'."],
  [{ 'signing-config': 'a.json' }, 'signing-config and trusted-root belong together.'],
  [{ 'trusted-root': 'a.json' }, 'signing-config and trusted-root belong together.'],
  [
    { sign: 'none', 'signing-config': 'a.json', 'trusted-root': 'b.json' },
    "signing-config: given, but sign is not 'keyless'.",
  ],
  [{ sign: 'keyless', registry: 'embedded' }, "registry: 'embedded' is for rehearsals: sign with a key."],
  [{ sign: 'kms' }, "sign: 'kms' is not available yet"],
  [{ sign: 'key' }, 'key: missing. With sign key give the private key'],
  [{ key: 'cosign.key' }, "key: given, but sign is not 'key'."],
  [{ sign: 'none', key: 'cosign.key' }, "key: given, but sign is not 'key'."],
  [{ tags: 'ghcr.io/acme/other:1' }, "tags: 'ghcr.io/acme/other:1' is no tag of 'ghcr.io/acme/api'."],
  [{ tags: 'ghcr.io/acme/api' }, "tags: 'ghcr.io/acme/api' is no tag of 'ghcr.io/acme/api'."],
  [{ tags: `ghcr.io/acme/api:1@sha256:${'a'.repeat(64)}` }, 'tags: '],
  [{ tags: 'ghcr.io/acme/api:-x' }, 'tags: '],
  [{ tags: '1.0.0', overwrite: 'latest' }, "overwrite: 'latest' is not one of the tags."],
  [{ tags: 'auto', overwrite: 'auto' }, 'overwrite: '],
  [{ tags: '-x' }, 'tags: tag "-x" is not valid'],
  [{ tags: `sha256-${'a'.repeat(64)}` }, 'tags: '],
  [{ registry: 'quay.io' }, "registry: 'quay.io' is not the host of the image 'ghcr.io/acme/api'."],
  [{ 'registry-username': 'u' }, 'registry-username and registry-password belong together.'],
  [{ 'registry-password': 'p' }, 'registry-username and registry-password belong together.'],
  [{ tools: 'mirror:ftp://x' }, 'tools: expected auto, release, mirror:URL'],
  [{ tools: 'dir:' }, 'tools: expected auto, release, mirror:URL'],
  [{ tools: 'latest' }, 'tools: expected auto, release, mirror:URL'],
  [{ timeout: '0' }, "timeout: expected whole minutes from 1 to 9999, got '0'."],
  [{ timeout: '1.5' }, 'timeout: expected whole minutes'],
  [{ timeout: '-1' }, 'timeout: expected whole minutes'],
  [{ timeout: '99999' }, 'timeout: expected whole minutes'],
  [{ context: 'a\0b' }, 'context: longer than 65536 characters, or holds a NUL.'],
  [{ labels: `a=${'x'.repeat(65_536)}` }, 'labels: longer than 65536 characters'],
  [{ comment: 'auto' }, "comment: 'auto' is not available yet in this version. Use 'never'."],
  [{ sarif: 'always' }, "sarif: 'always' is not available yet in this version. Use 'never'."],
])('refuses %j', (values, expected) => {
  const found = problems({ image: IMAGE, ...values })
  expect(found).toHaveLength(1)
  expect(found[0]?.slice(0, expected.length)).toBe(expected)
})

it.each([...BUILD_INPUTS])('refuses %s with a ready image', name => {
  const values: Values = {
    'build-args': 'A=1',
    'build-contexts': 'a=b',
    secrets: 'id=a,env=A',
    ssh: 'default',
    labels: 'a=1',
    annotations: 'a=1',
    target: 't',
    platforms: 'linux/amd64',
    network: 'none',
    'cache-from': 'type=local,src=c',
    'cache-to': 'type=local,dest=c',
    builder: 'b',
  }
  for (const subject of ['oci-layout:x', 'archive:x', 'docker:x', `registry:x@${DIGEST}`]) {
    const given = { image: IMAGE, subject, [name]: values[name] ?? '' }
    expect(problems(given)).toEqual([`${name}: has no meaning with a ready image as subject.`])
  }
})

it.each(INPUTS.filter(input => !input.available).map(input => input.name))('refuses %s by name', name => {
  expect(problems({ image: IMAGE, [name]: 'x' })).toEqual([
    `${name}: not available yet in this version. Leave it out.`,
  ])
})

it('names a flag as it is typed', () => {
  expect(problems({ image: IMAGE, timeout: 'x', sign: 'key' }, '--')).toEqual([
    "--timeout: expected whole minutes from 1 to 9999, got 'x'.",
    '--key: missing. With --sign key give the private key: a file, or env://NAME.',
  ])
})

it('shows every problem at once', () => {
  const values = {
    secrets: 'x',
    engine: 'kaniko',
    pull: 'yes',
    timeout: '0',
    tags: '-',
    key: 'k',
    check: 'auto',
  }
  const names = problems(values).map(line => line.split(':')[0])
  expect([...new Set(names)].sort()).toEqual([
    'check',
    'engine',
    'image',
    'key',
    'pull',
    'secrets',
    'tags',
    'timeout',
  ])
})

it('never shows a password', () => {
  const values = { image: '', 'registry-password': 'hunter2-hunter2', key: 'k' }
  expect(problems(values).join('\n')).not.toContain('hunter2')
})

it('never shows what stands in a line of secrets that it does not understand', () => {
  const values = { image: IMAGE, secrets: 'id=npm,value=hunter2-hunter2' }
  expect(problems(values).join('\n')).not.toContain('hunter2')
})
