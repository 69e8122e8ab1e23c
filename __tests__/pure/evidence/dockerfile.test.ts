import { parseDockerfile } from '../../../src/evidence/dockerfile.js'
import { reasonOf } from '../../support/reasons.js'

const pin = `@sha256:${'a'.repeat(64)}`

function bases(text: string, buildArgs: Record<string, string> = {}) {
  return parseDockerfile(text, 'Dockerfile', { buildArgs }).bases.map(base => [
    base.reference,
    base.pinned,
    base.location.line,
  ])
}

describe('parseDockerfile, bases', () => {
  test.each([
    ['one image', 'FROM debian:12', [['debian:12', false, 1]]],
    ['pinned', `# c\nFROM debian:12${pin}`, [[`debian:12${pin}`, true, 2]]],
    ['a short digest is no pin', 'FROM debian@sha256:abc', [['debian@sha256:abc', false, 1]]],
    ['scratch', 'FROM scratch\nCOPY a /a', []],
    ['a stage is no base', 'FROM a AS One\nFROM one\nFROM oNe as two', [['a', false, 1]]],
    [
      'a later stage is no stage yet',
      'FROM two AS one\nFROM a AS two',
      [
        ['two', false, 1],
        ['a', false, 2],
      ],
    ],
    ['ARG default', 'ARG V=12\nARG B=debian:${V}\nFROM $B', [['debian:12', false, 3]]],
    ['ARG without default', 'ARG B\nFROM ${B}', [['${B}', false, 2]]],
    [
      'ARG after FROM does not count',
      'FROM a\nARG B=b\nFROM $B',
      [
        ['a', false, 1],
        ['$B', false, 3],
      ],
    ],
    ['default in place', 'FROM ${B:-debian}', [['debian', false, 1]]],
    ['platform flag', 'FROM --platform=$BUILDPLATFORM debian AS x', [['debian', false, 1]]],
    ['lower case, continued', 'from \\\n  debian', [['debian', false, 1]]],
    [
      'COPY --from an image',
      'FROM scratch\nCOPY --from=busybox:1 /a /a\nCOPY --from=0 /b /b',
      [['busybox:1', false, 2]],
    ],
    [
      'RUN --mount from an image',
      'FROM a AS b\nRUN --mount=type=bind,from=tools,target=/t x\nRUN --mount=from=b x',
      [
        ['a', false, 1],
        ['tools', false, 2],
      ],
    ],
    ['escape directive', '# escape=`\nFROM `\n debian', [['debian', false, 2]]],
    ['FROM inside a heredoc is text', 'FROM a\nRUN <<X\nFROM b\nX\n', [['a', false, 1]]],
  ])('%s', (_name, text, expected) => {
    expect(bases(text)).toEqual(expected)
  })

  test('a build argument wins over the default', () => {
    expect(bases('ARG B=debian\nFROM $B', { B: `alpine${pin}` })).toEqual([[`alpine${pin}`, true, 2]])
  })
})

describe('parseDockerfile, user and final stage', () => {
  test.each([
    ['the last one', 'FROM a\nUSER root\nUSER app\nRUN x', 'app', 3],
    ['none', 'FROM a\nRUN x', undefined, undefined],
    ['of another stage', 'FROM a AS b\nUSER app\nFROM c', undefined, undefined],
    ['inherited from the stage it is built on', 'FROM a AS b\nUSER app\nFROM b\nRUN x', 'app', 2],
    ['not the trigger of ONBUILD', 'FROM a\nONBUILD USER app', undefined, undefined],
  ])('%s', (_name, text, value, line) => {
    const { user } = parseDockerfile(text, 'Dockerfile')
    expect([user?.value, user?.location.line]).toEqual([value, line])
  })

  test('a target chooses the final stage', () => {
    const text = 'FROM a AS one\nUSER x\nFROM b AS two'
    expect(parseDockerfile(text, 'f', { target: 'ONE' })).toMatchObject({
      finalStage: { file: 'f', line: 1 },
      user: { value: 'x' },
    })
    expect(parseDockerfile(text, 'f').finalStage.line).toBe(3)
  })

  test.each([
    ['dockerfile-no-from', '', {}],
    ['dockerfile-no-from', 'RUN x', {}],
    ['dockerfile-no-target', 'FROM a', { target: 'b' }],
    ['dockerfile-too-large', `FROM a\n#${'x'.repeat(300_000)}`, {}],
    ['dockerfile-too-large', doubling(40), {}],
    ['dockerfile-too-large', `ARG v=${'x'.repeat(4000)}\nFROM ${'${v}'.repeat(60_000)}`, {}],
    ['dockerfile-too-large', `FROM ${'${v:-'.repeat(40_000)}`, {}],
  ])('refuses with %s', (reason, text, options) => {
    expect(reasonOf(() => parseDockerfile(text, 'Dockerfile', options))).toBe(reason)
  })
})

/** Each variable twice the one before it: a bomb of few lines. */
function doubling(levels: number): string {
  const lines = Array.from({ length: levels }, (_, at) => `ARG v${at + 1}=\${v${at}}\${v${at}}`)
  return ['ARG v0=xxxxxxxxxx', ...lines, `FROM \${v${levels}}`].join('\n')
}

it('an ARG named as a property of every object has its own value', () => {
  const { bases } = parseDockerfile('ARG constructor=alpine\nFROM ${constructor}:1\n', 'Dockerfile')
  expect(bases.map(base => base.reference)).toEqual(['alpine:1'])
})
