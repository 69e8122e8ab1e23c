import { custody } from '../../../src/report/custody.js'
import { aRecord, digestOf } from '../../support/records.js'

test('says which engine built the image and why, and from which bases', () => {
  const record = aRecord({
    engine: { name: 'buildx', version: '0.36.1, BuildKit 0.32.2', why: 'asked for; it answers' },
    bases: [
      { reference: 'debian:12', state: 'resolved', digest: digestOf('d') },
      { reference: `alpine@${digestOf('a')}`, state: 'pinned', digest: digestOf('a') },
      { reference: 'base-$TARGETARCH', state: 'unresolved', why: 'the name is not known before the build' },
    ],
  })
  const links = custody(record).filter(([what]) => what === 'Built by' || what === 'Base')
  expect(links).toEqual([
    ['Built by', 'buildx 0.36.1, BuildKit 0.32.2: asked for; it answers'],
    ['Base', `debian:12@${digestOf('d')}`],
    ['Base', `alpine@${digestOf('a')}`],
    ['Base', 'base-$TARGETARCH, digest not known before the build: the name is not known before the build'],
  ])
})

test('a record of an earlier version, without reason and bases, reads the same', () => {
  const links = custody(aRecord({ engine: { name: 'docker', version: '29.1.0' } }))
  expect(links).toContainEqual(['Built by', 'docker 29.1.0'])
  expect(links.filter(([what]) => what === 'Base')).toEqual([])
})

test.each([
  [[], '1 file'],
  [
    [
      { reason: 'package-unchanged', files: 10 },
      { reason: 'package-compiled', files: 3 },
      { reason: 'compressed', files: 2 },
      { reason: 'too-large', files: 1 },
    ] as const,
    '1 file; not searched: 10 unchanged in a package, 3 compiled from such, 2 packed, 1 too large',
  ],
])('says what was searched for secrets, and what was not', (notSearched, words) => {
  const links = custody(aRecord({ secretSearch: { searched: 1, notSearched } }))
  expect(links).toContainEqual(['Searched for secrets', words])
})
