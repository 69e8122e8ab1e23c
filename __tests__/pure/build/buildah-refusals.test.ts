import {
  dockerfileRefusal,
  isBefore,
  parseVersion,
  unsupportedLines,
  type BuildahVersion,
} from '../../../src/build/buildah-refusals.js'

const DEBIAN: BuildahVersion = [1, 28, 2]
const NEWER: BuildahVersion = [1, 41, 0]

function refused(text: string, version = DEBIAN, buildArgs: Readonly<Record<string, string>> = {}) {
  return unsupportedLines(text, { version, buildArgs }).map(({ line, what }) => `${line} ${what}`)
}

/** Lines after `FROM scratch`; the refusal, and whether a newer buildah is refused as well. */
const LINES: readonly (readonly [string, string | undefined, boolean])[] = [
  ['SHELL ["/bin/bash", "-c"]', 'SHELL is left out', true],
  ['healthcheck CMD true', 'HEALTHCHECK is left out', true],
  ['HEALTHCHECK NONE', 'HEALTHCHECK is left out', true],
  ['ONBUILD RUN true', 'ONBUILD is left out', true],
  ['RUN <<EOF\necho a\nEOF', 'RUN with a heredoc', false],
  ['RUN python3 <<-"EOF"\nprint()\nEOF', 'RUN with a heredoc', false],
  ['COPY <<one <<two /\na\none\nb\ntwo', 'COPY with a heredoc', false],
  ['ADD 3<<EOF /f\na\nEOF', 'ADD with a heredoc', false],
  ['RUN cat <<< "$A"', undefined, false],
  ['RUN echo $((1<<A)) "<<"', undefined, false],
  ['# RUN <<EOF', undefined, false],
  ['RUN true && \\\n  # cat <<EOF\n  false', undefined, false],
  ['COPY --link a b', 'COPY --link is not known', false],
  ['COPY --parents a b', 'COPY --parents is not known', false],
  ['COPY --exclude=*.md . /', 'COPY --exclude is not known', false],
  ['COPY --from=x --chown=1:1 --chmod=644 a b', undefined, false],
  ['ADD --checksum=sha256:00 https://a.example/x /x', 'ADD --checksum is not known', false],
  ['ADD --keep-git-dir=true git@a.example:x.git /x', 'ADD --keep-git-dir is not known', true],
  ['ADD https://a.example/x.tar /x', undefined, false],
  ['ADD https://a.example/x.git#v1 /x', 'ADD of a git repository is taken for a file', true],
  ['ADD git://a.example/x /x', 'ADD of a git repository is taken for a file', true],
  ['RUN --network=none true', 'RUN --network is not known', false],
  ['RUN --security=insecure true', 'RUN --security is not known', false],
  ['RUN --device=x true', 'RUN --device is not known', false],
  ['RUN --mount=type=cache,target=/c true', undefined, false],
  ['RUN --mount=type=secret,id=a true', undefined, false],
  ['RUN --mount=type=secret,id=a,env=A true', 'RUN --mount=type=secret with env= is not known', false],
  ['COPY --from=dir:/etc a b', "'dir:/etc' is read as a place on this machine", true],
  ['RUN --mount=from=oci:/x,target=/x true', "'oci:/x' is read as a place on this machine", true],
  ['FROM containers-storage:private', "'containers-storage:private' is read as a place", true],
  ['FROM docker-daemon:private:1', "'docker-daemon:private:1' is read as a place", true],
  ['FROM --platform=linux/amd64 host.example:5000/oci:1', undefined, false],
  ['FROM ociimage:1', undefined, false],
]

test.each(LINES)('%s', (line, expected, always) => {
  const found = refused(`FROM scratch\n${line}\n`)
  if (expected === undefined) expect(found).toEqual([])
  else expect(found[0]?.startsWith('2 ')).toBe(true)
  if (expected !== undefined) expect(found.join('\n')).toContain(expected)
  expect(refused(`FROM scratch\n${line}\n`, NEWER).length > 0).toBe(always)
})

const DIRECTIVES: readonly (readonly [string, string | undefined])[] = [
  ['# syntax=docker/dockerfile:1', undefined],
  ['# syntax=docker.io/docker/dockerfile:1.9-labs', undefined],
  [`# syntax=docker/dockerfile:1@sha256:${'0'.repeat(64)}`, undefined],
  ['# syntax=docker/dockerfile-upstream:master', undefined],
  ['# syntax=evil.example/docker/dockerfile:1', 'names another language'],
  ['# syntax=docker/dockerfile2', 'names another language'],
  ['# escape=\\', undefined],
  ['# escape=`', "'# escape=' is not honoured"],
  ['# check=skip=all', undefined],
  ['# check=error=true', "'# check=error=true' is not honoured"],
]

test.each(DIRECTIVES)('%s', (line, expected) => {
  const found = refused(`${line}\nFROM scratch\n`)
  expect(found.length).toBe(expected === undefined ? 0 : 1)
  if (expected !== undefined) expect(found[0]).toContain(expected)
})

test('a place on the machine is seen through arguments, given ones too', () => {
  const text = 'ARG BASE=debian\nFROM ${BASE}\n'
  expect(refused(text)).toEqual([])
  expect(refused(text, DEBIAN, { BASE: 'dir:/etc' })).toHaveLength(1)
})

test('every line is named at once, with the version where it is bound to one', () => {
  const text = 'FROM scratch\nSHELL ["a"]\nCOPY --link a b\nHEALTHCHECK CMD true\n'
  const lines = unsupportedLines(text, { version: DEBIAN, buildArgs: {} })
  const error = dockerfileRefusal('app/Dockerfile', lines, DEBIAN)
  expect(error).toMatchObject({ code: 'config', reason: 'dockerfile-unsupported' })
  expect(error.message.split('\n')).toEqual([
    'buildah 1.28.2 cannot build this Dockerfile as it is meant:',
    'app/Dockerfile:2: SHELL is left out of images in OCI format',
    'app/Dockerfile:3: COPY --link is not known (versions before 1.29.0)',
    'app/Dockerfile:4: HEALTHCHECK is left out of images in OCI format',
    'Change these lines, or use another engine (--engine buildx or docker).',
  ])
})

test.each([
  ['buildah version 1.28.2 (image-spec 1.1.0-rc2, runtime-spec 1.0.2-dev)', [1, 28, 2]],
  ['buildah version 1.41.0-dev', [1, 41, 0]],
  ['nothing', undefined],
])('version of %s', (text, expected) => {
  expect(parseVersion(text)).toEqual(expected)
})

test.each<[BuildahVersion, string, boolean]>([
  [[1, 28, 2], '1.28.0', false],
  [[1, 28, 0], '1.28.0', false],
  [[1, 27, 9], '1.28.0', true],
  [[2, 0, 0], '1.28.0', false],
  [[0, 99, 0], '1.28.0', true],
])('%j before %s: %s', (version, bound, expected) => {
  expect(isBefore(version, bound)).toBe(expected)
})
