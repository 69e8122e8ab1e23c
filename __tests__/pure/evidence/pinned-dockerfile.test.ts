import { pinBases } from '../../../src/evidence/pinned-dockerfile.js'

const D = `sha256:${'d'.repeat(64)}`
const bases = [{ reference: 'debian:12', digest: D }]

test.each([
  ['plain', 'FROM debian:12\n', `FROM debian:12@${D}\n`],
  [
    'with platform and name',
    'FROM --platform=linux/amd64 debian:12 AS a\nRUN x\n',
    `FROM --platform=linux/amd64 debian:12@${D} AS a\nRUN x\n`,
  ],
  [
    'through variables',
    'ARG V=12\nARG I=debian:${V}\nFROM $I\n',
    `ARG V=12\nARG I=debian:\${V}\nFROM debian:12@${D}\n`,
  ],
  [
    'COPY --from and RUN --mount',
    'FROM scratch\nCOPY --from=debian:12 /a /b\nRUN --mount=type=bind,from=debian:12,target=/x true\n',
    `FROM scratch\nCOPY --from=debian:12@${D} /a /b\nRUN --mount=type=bind,from=debian:12@${D},target=/x true\n`,
  ],
  ['a stage of that name', 'FROM scratch AS debian:12\nFROM debian:12\n', undefined],
  ['another tag', 'FROM debian:11\nRUN echo debian:12\n', undefined],
  ['in a comment or heredoc', '# debian:12\nFROM scratch\nRUN <<E\nFROM debian:12\nE\n', undefined],
  ['windows line ends', 'FROM debian:12\r\nRUN x\r\n', `FROM debian:12@${D}\r\nRUN x\r\n`],
  ['already pinned', `FROM debian:12@${D}\n`, undefined],
  ['continued', 'FROM \\\n  debian:12 \\\n  AS x\n', `FROM \\\n  debian:12@${D} \\\n  AS x\n`],
])('bases with their digest: %s', (_, text, expected) => {
  const pinned = pinBases(text, bases, {})
  expect(pinned).toBe(expected ?? text)
  expect(pinned.split('\n')).toHaveLength(text.split('\n').length)
})

test('build arguments win over defaults', () => {
  const text = 'ARG V=11\nFROM debian:$V\n'
  expect(pinBases(text, bases, { V: '12' })).toBe(`ARG V=11\nFROM debian:12@${D}\n`)
})
