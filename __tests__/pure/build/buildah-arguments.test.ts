import {
  buildahArguments,
  buildahRefusals,
  cacheRepository,
  pushArguments,
  type BuildahCall,
  type BuildahIsolation,
} from '../../../src/build/buildah-arguments.js'
import { baseAnnotations } from '../../../src/build/buildah-base.js'
import { isolationOf } from '../../../src/build/buildah-client.js'
import type { BuildRequest } from '../../../src/build/build-request.js'
import type { BuildahVersion } from '../../../src/build/buildah-refusals.js'
import { checkBases, checkResult, type StoredConfig } from '../../../src/build/buildah-result.js'
import { failedStep } from '../../../src/build/failed-step.js'
import type { Digest } from '../../../src/evidence/digest.js'
import type { ImageSubject } from '../../../src/evidence/subject.js'
import { gateError } from '../../support/gate-error.js'

const PLAIN: BuildRequest = {
  ...{ context: '/src', dockerfile: '/src/Dockerfile', noCache: false, pull: false },
  ...{ buildArgs: [], platforms: [], labels: {}, annotations: {}, buildContexts: {}, secrets: [] },
  ...{ ssh: [], cacheFrom: [], cacheTo: [], bases: [] },
}
const OCI: BuildahIsolation = { kind: 'oci', runtime: '/usr/sbin/runc' }
const CHROOT: BuildahIsolation = { kind: 'chroot' }
const VERSION: BuildahVersion = [1, 28, 2]
const CALL: BuildahCall = {
  ...{ dockerfile: '/w/Dockerfile', ignoreFile: '/w/ignore', tag: 'localhost/x:1', iidFile: '/w/id' },
  ...{ runtimeRoot: '/w/runtime', isolation: OCI, buildContexts: {}, baseAnnotations: {} },
  secrets: { args: [], variables: {}, redacted: [] },
}

function flags(asked: Partial<BuildRequest>, call: Partial<BuildahCall> = {}): string {
  return buildahArguments({ ...PLAIN, ...asked }, { ...CALL, ...call }).join(' ')
}

test('a plain build: layers told apart, no label of the engine, no proxy, no cache', () => {
  expect(flags({})).toBe(
    'build --file /w/Dockerfile --ignorefile /w/ignore --format oci --layers --identity-label=false ' +
      '--http-proxy=false --force-rm --isolation oci --runtime /usr/sbin/runc --runtime-flag root=/w/runtime ' +
      '--iidfile /w/id --tag localhost/x:1 --no-cache --pull -- /src',
  )
})

test.each<[string, Partial<BuildRequest>, Partial<BuildahCall>, string]>([
  ['one platform', { platforms: ['linux/arm64'] }, {}, '--tag localhost/x:1 --platform linux/arm64 '],
  ['two platforms', { platforms: ['a/b', 'c/d'] }, {}, ' --manifest localhost/x:1 --platform a/b,c/d '],
  [
    'target and arguments',
    { target: 't', buildArgs: ['A=1', 'B=2'] },
    {},
    '--target t --build-arg A=1 --build-arg B=2',
  ],
  ['labels', { labels: { a: 'b c' } }, {}, '--label a=b c'],
  ['annotations', { annotations: { a: 'b', 'manifest:c': 'd' } }, {}, '--annotation a=b --annotation c=d'],
  [
    'what was asked wins',
    { annotations: { a: 'mine' } },
    { baseAnnotations: { a: 'x' } },
    '--annotation a=mine',
  ],
  ['contexts', {}, { buildContexts: { c: '/x' } }, '--build-context c=/x'],
  [
    'secrets',
    {},
    { secrets: { args: ['--secret', 'id=a,src=/b'], variables: {}, redacted: [] } },
    '--secret id=a,src=/b',
  ],
  ['ssh', { ssh: ['default'] }, {}, '--ssh default'],
  ['a cache', { cacheFrom: ['type=registry,ref=a.example/c'] }, {}, ' --cache-from a.example/c --pull'],
  ['no cache although one is named', { cacheFrom: ['a.example/c'], noCache: true }, {}, ' --no-cache --pull'],
  ['no network', { network: 'none' }, {}, '--network none'],
  ['the network of the host', { network: 'host' }, {}, '--network host'],
  ['fresh bases', { pull: true }, {}, '--pull-always'],
  ['times of an argument', { buildArgs: ['SOURCE_DATE_EPOCH=17'] }, {}, '--timestamp 17'],
  [
    'chroot',
    { network: 'host' },
    { isolation: CHROOT },
    '--isolation chroot --iidfile /w/id --tag localhost/x:1 --no-cache --pull -- /src',
  ],
])('%s', (_, asked, call, expected) => {
  expect(flags(asked, call)).toContain(expected)
})

test('times are left alone otherwise', () => {
  expect(flags({ buildArgs: ['SOURCE_DATE_EPOCH=now'] })).not.toContain('--timestamp')
})

test.each<[string, Partial<BuildRequest>, BuildahIsolation, readonly string[]]>([
  ['nothing', {}, OCI, []],
  [
    'all it can',
    { ssh: ['default'], cacheFrom: ['a.example/c'], buildContexts: { a: '/x', b: 'docker-image://debian' } },
    OCI,
    [],
  ],
  ['several at once', { builder: 'b', cacheTo: ['x'] }, OCI, ['builder', 'cache-to']],
  [
    'an older cache',
    { platforms: ['a/b', 'c/d'], cacheFrom: ['a.example/c'] },
    OCI,
    ['cache-from with several platforms'],
  ],
  [
    'caches of BuildKit',
    { cacheFrom: ['type=gha', 'a.example/c:1'] },
    OCI,
    ['cache-from type=gha', 'cache-from a.example/c:1'],
  ],
  [
    'places that are no folders',
    { buildContexts: { a: 'https://a.example/x.git', b: 'docker-image://dir:/etc' } },
    OCI,
    ['build-contexts a=https://a.example/x.git', 'build-contexts b=docker-image://dir:/etc'],
  ],
  [
    'annotations of an index',
    { annotations: { 'index:a': 'b', 'manifest[linux/amd64]:a': 'b' } },
    OCI,
    ['annotations index:a', 'annotations manifest[linux/amd64]:a'],
  ],
  ['no network under chroot', { network: 'none' }, CHROOT, ['network none with chroot isolation']],
])('refuses %s', (_, asked, isolation, expected) => {
  expect(buildahRefusals({ ...PLAIN, ...asked }, { version: VERSION, isolation })).toEqual(expected)
})

test('a newer buildah may use a cache for several platforms', () => {
  const asked = { ...PLAIN, platforms: ['a/b', 'c/d'], cacheFrom: ['a.example/c'] }
  expect(buildahRefusals(asked, { version: [1, 41, 0], isolation: OCI })).toEqual([])
})

test.each([
  ['a.example/c', 'a.example/c'],
  ['a.example:5000/c', 'a.example:5000/c'],
  ['a.example/c:1', undefined],
  ['type=registry,ref=a.example/c', 'a.example/c'],
  ['type=registry,ref=a.example/c:1', undefined],
  ['type=registry,ref=a.example/c,mode=max', undefined],
  ['type=local,src=/x', undefined],
  ['', undefined],
])('cache %s', (cache, expected) => {
  expect(cacheRepository(cache)).toBe(expected)
})

test.each([
  [[], 'push --quiet --digestfile /d localhost/x:1 oci:/l'],
  [['a/b', 'c/d'], 'manifest push --all --quiet --digestfile /d localhost/x:1 oci:/l'],
])('push of %j', (platforms, expected) => {
  const files = { tag: 'localhost/x:1', layoutDir: '/l', digestFile: '/d' }
  expect(pushArguments({ platforms }, files).join(' ')).toBe(expected)
})

test.each<[number, readonly string[], BuildahIsolation]>([
  [0, ['runc', 'crun'], { kind: 'oci', runtime: '/runc' }],
  [0, ['crun'], { kind: 'oci', runtime: '/crun' }],
  [0, [], { kind: 'chroot' }],
  [1000, ['runc', 'newuidmap'], { kind: 'rootless', runtime: '/runc' }],
  [1000, ['runc'], { kind: 'chroot' }],
])('isolation of uid %d with %j', (uid, programs, expected) => {
  expect(isolationOf({ uid, find: name => (programs.includes(name) ? `/${name}` : undefined) })).toEqual(
    expected,
  )
})

const D: Digest = `sha256:${'a'.repeat(64)}`
const E: Digest = `sha256:${'b'.repeat(64)}`
const NAME = 'org.opencontainers.image.base.name'
const DIGEST = 'org.opencontainers.image.base.digest'

test.each<[string, string, { readonly target?: string }, string, string]>([
  ['a checked base', 'FROM debian:12\n', {}, 'docker.io/library/debian:12', D],
  ['through stages', 'FROM debian:12 AS a\nFROM a AS b\nFROM b\n', {}, 'docker.io/library/debian:12', D],
  ['a pinned base', `FROM a.example/base:1@${E}\n`, {}, 'a.example/base:1', E],
  ['the target', 'FROM debian:12 AS a\nFROM scratch\n', { target: 'a' }, 'docker.io/library/debian:12', D],
  ['scratch', 'FROM debian:12 AS a\nFROM scratch\n', {}, '', ''],
  ['a base nobody looked up', 'FROM alpine\n', {}, '', ''],
])('annotations of %s', (_, text, given, name, digest) => {
  const bases = [{ reference: 'debian:12', digest: D }]
  expect(baseAnnotations(text, { bases, buildArgs: {}, ...given })).toEqual({
    [NAME]: name,
    [DIGEST]: digest,
  })
})

function subjectOf(platforms: readonly string[]): ImageSubject {
  const manifest = { mediaType: 'm', digest: D, size: 1 }
  const config = { user: '', env: [], entrypoint: [], cmd: [], labels: {}, exposedPorts: [], history: [] }
  const image = { manifest, configDigest: E, configSize: 1, layers: [], config }
  return {
    name: 'x',
    digest: D,
    mediaType: 'm',
    size: 1,
    platforms: platforms.map(platform => ({ ...image, platform })),
  }
}

test('a result that is what buildah names', () => {
  const one = subjectOf(['linux/amd64'])
  expect(checkResult(one, { digest: D, imageId: E, platforms: [] })).toBe(E)
  const two = subjectOf(['linux/arm64/v8', 'linux/amd64'])
  expect(checkResult(two, { digest: D, imageId: null, platforms: ['linux/amd64', 'linux/arm64'] })).toBeNull()
})

test.each<[string, ImageSubject, { digest: string; imageId: string | null; platforms: string[] }, string]>([
  [
    'another digest',
    subjectOf(['linux/amd64']),
    { digest: E, imageId: E, platforms: [] },
    'image-id-mismatch',
  ],
  [
    'another image id',
    subjectOf(['linux/amd64']),
    { digest: D, imageId: D, platforms: [] },
    'image-id-mismatch',
  ],
  [
    'a platform twice',
    subjectOf(['linux/amd64']),
    { digest: D, imageId: null, platforms: ['linux/amd64', 'linux/arm64'] },
    'platforms-differ',
  ],
  [
    'another platform',
    subjectOf(['linux/amd64']),
    { digest: D, imageId: E, platforms: ['linux/arm64'] },
    'platforms-differ',
  ],
])('refuses %s', (_, subject, said, reason) => {
  expect(() => checkResult(subject, said)).toThrow(gateError({ code: 'integrity', reason }))
})

test.each<[string, StoredConfig['config'], readonly string[], string | undefined]>([
  ['nothing special', {}, ['l1'], undefined],
  ['a health check below', { Healthcheck: { Test: ['CMD', 'true'] } }, ['l1'], 'HEALTHCHECK'],
  ['a health check switched off', { Healthcheck: { Test: ['NONE'] } }, ['l1'], undefined],
  [
    'a health check of an image that was only copied from',
    { Healthcheck: { Test: ['CMD'] } },
    ['l9'],
    undefined,
  ],
  ['a shell', { Shell: ['/bin/bash', '-c'] }, ['l9'], 'SHELL'],
  ['triggers', { OnBuild: ['RUN true'] }, ['l9'], 'ONBUILD'],
])('a base with %s', (_, config, layers, lost) => {
  const check = (): void => checkBases([{ config, rootfs: { diff_ids: [...layers] } }], [['l1', 'l2']])
  if (lost === undefined) expect(check).not.toThrow()
  else
    expect(check).toThrow(
      expect.objectContaining({
        reason: 'base-unsupported',
        message: expect.stringContaining(lost) as string,
      }) as Error,
    )
})

test('the step that failed', () => {
  const step = 'RUN if [ -S "$A" ]; then false; fi'
  expect(
    failedStep(`STEP 1/2: FROM a\nError: building at STEP "${step}": while running runtime: exit 1\n`),
  ).toBe(step)
})
