import type { DiffId } from '../../../src/evidence/digest.js'
import { parseDockerfile } from '../../../src/evidence/dockerfile.js'
import { instructionsOfLayers, originsOfLayers } from '../../../src/evidence/layer-instructions.js'
import type { OriginInput } from '../../../src/evidence/layer-instructions.js'
import type { HistoryEntry } from '../../../src/evidence/subject.js'

const DOCKERFILE = parseDockerfile(
  [
    'ARG BASE=base:1', // 1
    'FROM ${BASE} AS one', // 2
    'ARG VERSION=1', // 3
    'ENV A=$VERSION B="b c"', // 4
    'WORKDIR /app', // 5
    'COPY a /app/a', // 6
    'RUN echo "$VERSION" \\', // 7
    '  # a comment', // 8
    '  > /one', // 9
    'FROM one AS side', // 10
    'RUN echo side > /side', // 11
    'FROM one', // 12
    'SHELL ["/bin/sh", "-e", "-c"]', // 13
    'RUN echo two > /two', // 14
    'SHELL ["/bin/sh", "-c"]', // 15
    'COPY --link --chown=1:1 "a" b /dst/', // 16
    'COPY --from=side /side /side', // 17
    'ADD b $A/b', // 18
    'RUN ["/bin/sh", "-c", "echo json > /json"]', // 19
    'RUN echo same > /same', // 20
    'RUN echo same > /same', // 21
    'RUN <<EOT', // 22
    'echo more', // 23
    'EOT', // 24
    'COPY <<EOT /text', // 25
    'words', // 26
    'EOT', // 27
    'WORKDIR rel', // 28
    'ONBUILD RUN make', // 29
    'USER 1:1', // 30
    'CMD echo hi', // 31
  ].join('\n'),
  'Dockerfile',
)
const LINES = [5, 6, 7, 14, 16, 17, 18, 19, 20, 21, 22, 25, 28]
const FROM = 2

/** Histories as engines write them; `-` in front marks an entry without a layer. */
const BASE = ['ADD rootfs.tar / # buildkit', '-ENV PATH=/bin', 'COPY a /app/a # buildkit', '-CMD ["/bin/sh"]']
const BUILDKIT = [
  ...['-ARG VERSION=2', '-ENV A=2 B=b c', 'WORKDIR /app', 'COPY a /app/a # buildkit'],
  'RUN |1 VERSION=2 /bin/sh -c echo "$VERSION"   > /one # buildkit',
  '-SHELL [/bin/sh -e -c]',
  'RUN |1 VERSION=2 /bin/sh -e -c echo two > /two # buildkit',
  ...['-SHELL [/bin/sh -c]', 'COPY --chown=1:1 a b /dst/ # buildkit', 'COPY /side /side # buildkit'],
  ...['ADD b 2/b # buildkit', 'RUN |1 VERSION=2 /bin/sh -c echo json > /json # buildkit'],
  'RUN |1 VERSION=2 /bin/sh -c echo same > /same # buildkit',
  'RUN |1 VERSION=2 /bin/sh -c echo same > /same # buildkit',
  'RUN |1 VERSION=2 /bin/sh -c echo more\n # buildkit',
  ...['COPY <<EOT /text # buildkit', 'WORKDIR /app/rel', '-USER 1:1', '-CMD ["/bin/sh" "-c" "echo hi"]'],
]
const nop = (text: string): string =>
  text.startsWith('-') ? `-/bin/sh -c #(nop) ${text.slice(1)}` : `/bin/sh -c #(nop) ${text}`
const CLASSIC = [
  ...['- ARG VERSION=1', '- ENV A=2 B=b c', 'WORKDIR /app', 'COPY file:3fe3 in /app/a '].map(nop),
  '|1 VERSION=2 /bin/sh -c echo "$VERSION"   > /one',
  '-/bin/sh -e -c #(nop)  SHELL [/bin/sh -e -c]',
  '|1 VERSION=2 /bin/sh -e -c echo two > /two',
  ...['- SHELL [/bin/sh -c]', 'COPY --chown=1:1multi:52 in /dst/ ', 'COPY file:d4 in /side '].map(nop),
  ...['ADD file:85 in 2/b '].map(nop),
  ...['|1 VERSION=2 /bin/sh -c echo json > /json', '/bin/sh -c echo same > /same'],
  ...['/bin/sh -c echo same > /same', '/bin/sh -c <<EOT'],
  ...['COPY file:77 in /text ', 'WORKDIR /app/rel', '- ONBUILD RUN make', '- USER 1:1'].map(nop),
  ...['- CMD ["/bin/sh" "-c" "echo hi"]'].map(nop),
]
const BUILDAH = [
  ...['-ARG VERSION', '-ENV A=$VERSION B="b c"', 'WORKDIR /app', 'COPY file:5f in /app/a '].map(nop),
  '|1 VERSION=2 /bin/sh -c echo "$VERSION"   > /one',
  nop('-SHELL ["/bin/sh", "-e", "-c"]'),
  '/bin/sh -c echo two > /two',
  ...['-SHELL ["/bin/sh", "-c"]', 'COPY multi:73 in /dst/ ', 'COPY file:1e in /side '].map(nop),
  ...[nop('ADD file:e3 in $A/b '), '/bin/sh -c ["/bin/sh", "-c", "echo json > /json"]'],
  ...['/bin/sh -c echo same > /same', '/bin/sh -c echo same > /same', '/bin/sh -c echo more'],
  ...['COPY file:99 in /text ', 'WORKDIR rel', '-ONBUILD RUN make', '-USER 1:1', '-CMD echo hi'].map(nop),
]

function entries(texts: readonly string[], comment?: string): readonly HistoryEntry[] {
  return texts.map(text => ({
    createdBy: text.replace(/^-/, ''),
    emptyLayer: text.startsWith('-'),
    ...(comment === undefined ? {} : { comment }),
  }))
}

const ids = (count: number): readonly DiffId[] =>
  Array.from({ length: count }, (_, at): DiffId => `sha256:${String(at).padStart(64, '0')}`)

/** Each layer in short: `base:2`, `own:5`, `own`, or `?`. */
function told(history: readonly HistoryEntry[], more: Partial<OriginInput> = {}): readonly string[] {
  const layers = ids(history.filter(entry => !entry.emptyLayer).length)
  const given = { history, dockerfile: DOCKERFILE, builtHere: true, ...more }
  return originsOfLayers(layers, given).map(({ origin, instruction }) =>
    [origin ?? '?', ...(instruction === undefined ? [] : [instruction.line])].join(':'),
  )
}

const own = LINES.map(line => `own:${line}`)
const base = (count: number): string[] => Array.from({ length: count }, () => `base:${FROM}`)
const unknown = (count: number): string[] => Array.from({ length: count }, () => '?')

test.each([
  ['BuildKit', BUILDKIT],
  ['the classic builder', CLASSIC],
  ['buildah', BUILDAH],
])('%s: every layer has its line, those below came with the base', (_engine, history) => {
  expect(told(entries([...BASE, ...history]))).toEqual([...base(2), ...own])
})

test('labels of the command line are no instructions', () => {
  const labelled = [...BASE, ...CLASSIC, nop('- LABEL org.x=1'), nop('- LABEL org.y=2')]
  expect(told(entries(labelled))).toEqual([...base(2), ...own])
})

test('triggers of the base ran between both, and belong to it', () => {
  const trigger = 'RUN /bin/sh -c echo trigger > /trigger # buildkit'
  expect(told(entries([...BASE, trigger, ...BUILDKIT]))).toEqual([...base(3), ...own])
})

test('a base that looks like ours is still the base', () => {
  expect(told(entries([...BASE, ...BUILDKIT, ...BUILDKIT]))).toEqual([...base(2 + LINES.length), ...own])
})

test('an image that was not built here has its own lines, and no base', () => {
  expect(told(entries([...BASE, ...BUILDKIT]), { builtHere: false })).toEqual([...unknown(2), ...own])
})

test('on scratch everything is ours', () => {
  const dockerfile = parseDockerfile('FROM scratch\nCOPY a /a\nCOPY b /b\n', 'Dockerfile')
  const history = entries(['COPY a /a # buildkit', 'COPY b /b # buildkit'])
  expect(told(history, { dockerfile })).toEqual(['own:2', 'own:3'])
  expect(
    told(entries(['COPY z /z # buildkit', 'COPY a /a # buildkit', 'COPY b /b # buildkit']), { dockerfile }),
  ).toEqual(unknown(3))
})

test('a Dockerfile without instructions has only a base', () => {
  const dockerfile = parseDockerfile('FROM base AS x\n', 'Dockerfile')
  expect(told(entries(BASE), { dockerfile })).toEqual(['base:1', 'base:1'])
})

/** `-` put in front of entries: the history of an image whose steps were made into fewer layers. */
const emptied = (
  history: readonly string[],
  keep: (text: string, at: number) => boolean,
): readonly string[] =>
  history.map((text, at) => (text.startsWith('-') || keep(text, at) ? text : `-${text}`))

test('buildah without layers: one layer for each stage, of several instructions', () => {
  const merged = emptied(BUILDAH, (_, at) => at === 4)
  const last = merged.length - 1
  const whole = merged.map((text, at) => (at === last ? text.replace(/^-/, '') : text))
  expect(told(entries([...BASE, ...whole]))).toEqual([...base(2), 'own', 'own'])
})

test('buildah without layers: one instruction in the stage has its line', () => {
  const dockerfile = parseDockerfile('FROM base\nWORKDIR /app\nRUN make\nUSER 1\n', 'Dockerfile')
  const history = [...BASE, nop('-WORKDIR /app'), '-/bin/sh -c make', nop('USER 1')]
  expect(told(entries(history), { dockerfile })).toEqual(['base:1', 'base:1', 'own:3'])
})

const squashed = entries([...BASE.map(text => text), ...emptied(CLASSIC, () => false), ''])

test.each<readonly [string, readonly HistoryEntry[], number]>([
  ['docker build --squash', squashed, 3],
  ['buildah --squash', entries([...emptied(BUILDAH, () => false).slice(0, -1), nop('CMD echo hi')]), 1],
  ['no history', [], 0],
  [
    'a history without words',
    entries([...BASE, ...BUILDKIT].map(text => (text.startsWith('-') ? '-' : ''))),
    15,
  ],
  ['another builder', entries(['bazel build ...', 'bazel build ...']), 2],
  [
    'a base without history, filled up by BuildKit',
    entries([...BUILDKIT, 'mount / from exec'], 'buildkit.exporter.image.v0'),
    14,
  ],
  ['another Dockerfile', entries([...BASE, ...BUILDKIT.slice(0, -4), 'RUN /bin/sh -c other # buildkit']), 14],
  ['one instruction more', entries([...BASE, ...BUILDKIT, 'RUN /bin/sh -c more # buildkit']), 16],
  ['one instruction less', entries([...BASE, ...BUILDKIT.filter(text => !text.startsWith('ADD b'))]), 14],
  ['another order', entries([...BASE, ...BUILDKIT.toReversed()]), 15],
  ['no layer of a base', entries(BUILDKIT), 13],
])('%s: nothing is said', (_what, history, layers) => {
  expect(told(history)).toEqual(unknown(layers))
})

test('a history of fewer layers than there are says nothing', () => {
  const given = { history: entries([...BASE, ...BUILDKIT]), dockerfile: DOCKERFILE, builtHere: true }
  expect(originsOfLayers(ids(16), given)).toEqual(Array.from({ length: 16 }, () => ({})))
})

describe('with the layers of the base known', () => {
  const history = entries([...BASE, ...BUILDKIT])

  test('they win, and lines stay where both agree', () => {
    expect(told(history, { baseLayers: ids(2), builtHere: false })).toEqual([...base(2), ...own])
    expect(told(history, { baseLayers: ids(3) })).toEqual([...base(3), ...LINES.slice(1).map(() => 'own')])
    expect(told(squashed, { baseLayers: ids(2) })).toEqual([...base(2), 'own'])
  })

  test('what does not stand on them is not told', () => {
    expect(told(history, { baseLayers: ids(3).toReversed() })).toEqual(unknown(15))
    expect(told(history, { baseLayers: ids(16) })).toEqual(unknown(15))
  })
})

describe('a step is that of an instruction only when its text agrees', () => {
  const one = (instruction: string, createdBy: string): boolean => {
    const dockerfile = parseDockerfile(`FROM scratch\n${instruction}\n`, 'Dockerfile')
    return instructionsOfLayers(entries([createdBy]), dockerfile)[0]?.line === 2
  }

  test.each([
    ['RUN make', 'RUN /bin/bash -o pipefail -c make # buildkit'],
    ['RUN make', 'RUN |2 A=b c D=e /bin/bash -c make # buildkit'],
    ['RUN make', '/bin/sh -c make # buildkit'],
    ['RUN ["make", "it"]', 'make it'],
    ['RUN ["make", "it"]', '|1 A=b make it'],
    ['RUN --mount=type=cache,target=/c --network=none make', 'RUN /bin/sh -c make # buildkit'],
    ['COPY --chmod=755 --parents a /b', 'COPY --parents --chmod=755 a /b # buildkit'],
    ['COPY ["a", "/b"]', 'COPY a /b # buildkit'],
    ['COPY $X/a ${Y:-z}/b', 'COPY some/a /dst/b # buildkit'],
    ['WORKDIR /app/', 'WORKDIR /app'],
    ['WORKDIR ./app', 'WORKDIR /srv/app'],
    ['WORKDIR $HOME/app', 'WORKDIR /root/app'],
    ['RUN make', 'RUN cmd /S /C make # buildkit'],
    ['RUN make', 'RUN /bin/bash -eu -lc make # buildkit'],
    ['run make', 'RUN /bin/sh -c make # buildkit'],
  ])('%s is %s', (instruction, createdBy) => {
    expect(one(instruction, createdBy)).toBe(true)
  })

  test.each([
    ['RUN b', 'RUN /bin/sh -c a && b # buildkit'],
    ['RUN b', 'RUN /bin/sh -c a -c b # buildkit'],
    ['RUN b', 'RUN |1 A=c /bin/sh -c a b # buildkit'],
    ['RUN make', 'RUN /bin/sh -c make all # buildkit'],
    ['COPY a /b', 'COPY a /c # buildkit'],
    ['COPY a /b', 'COPY c /b # buildkit'],
    ['COPY a /b', 'ADD a /b # buildkit'],
    ['COPY a /b', '/bin/sh -c #(nop) COPY file:1 in /c '],
    ['COPY $X/a /b', 'COPY some/c /b # buildkit'],
    ['WORKDIR /app', 'WORKDIR /srv/app'],
    ['WORKDIR app', 'WORKDIR /srv/myapp'],
  ])('%s is not %s', (instruction, createdBy) => {
    expect(one(instruction, createdBy)).toBe(false)
  })
})
