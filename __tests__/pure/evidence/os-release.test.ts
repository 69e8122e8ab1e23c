import { advisoriesOfRelease } from '../../../src/evidence/os-release.js'
import { IMAGE_ID } from '../../support/scanner-reports.js'

test.each([
  ['debian', '12.15', 'deb', 'debian 12'],
  ['debian', '13/sid', 'deb', 'debian 13/sid'],
  ['alpine', '3.20.3', 'apk', 'alpine 3.20'],
  ['alpine', '3.99', 'apk', 'alpine 3.99'],
  ['ubuntu', '24.04', 'deb', 'ubuntu 24.04'],
  ['redhat', '9.4', 'rpm', undefined],
  ['debian', '12', 'pypi', undefined],
])('%s %s with a %s package', (family, name, type, expected) => {
  const found = { purl: `pkg:${type}/x@1`, name: 'x', version: '1', type }
  const scan = { imageId: IMAGE_ID, findings: [], os: { family, name, endOfLife: false } }
  expect(advisoriesOfRelease({ ...scan, packages: [found] })).toBe(expected)
  expect(advisoriesOfRelease({ ...scan, packages: [] })).toBeUndefined()
})
