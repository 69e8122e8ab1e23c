import { isSameRelease, knownRelease, LIST_DATE } from '../../../src/evidence/os-releases.js'

test('the list is dated', () => {
  expect(LIST_DATE).toMatch(/^20[0-9]{2}-[0-9]{2}-[0-9]{2}$/)
})

test.each([
  ['debian', '12', 'debian', '12.11', '12', '2028-06-30'],
  ['debian', '13', 'debian', '13.1', '13', '2030-06-30'],
  ['ubuntu', '24.04', 'ubuntu', '24.04', '24.04', '2029-05-31'],
  ['alpine', '3.20.3', 'alpine', '3.20.3', '3.20', '2026-04-01'],
  ['wolfi', '20230201', 'wolfi', '20230201', '', ''],
  ['chainguard', '20230214', 'chainguard', '20230214', '', ''],
  ['rhel', '9.4', 'redhat', '9.4', '9', ''],
  ['rocky', '9.3', 'rocky', '9.3', '9', '2032-05-31'],
  ['almalinux', '10.0', 'alma', '10.0', '10', '2035-05-31'],
  ['ol', '8.10', 'oracle', '8.10', '8', '2029-07-18'],
  ['amzn', '2023', 'amazon', '2023.6.20241212 (Amazon Linux)', '2023', '2028-03-15'],
  ['amzn', '2', 'amazon', '2 (Karoo)', '2', '2026-06-30'],
  ['sles', '15.6', 'sles', '15.6', '15.6', '2025-12-31'],
  ['opensuse-leap', '15.6', 'opensuse-leap', '15.6', '15.6', '2025-12-31'],
  ['opensuse-tumbleweed', '20260101', 'opensuse-tumbleweed', '20260101', '', ''],
  ['photon', '5.0', 'photon', '5.0', '5.0', ''],
  ['azurelinux', '3.0', 'azurelinux', '3.0.20240727', '3.0', ''],
  ['mariner', '2.0', 'cbl-mariner', '2.0.20240101', '2.0', ''],
])('%s %s is what the scanner calls %s %s', (id, version, family, name, release, endOfLife) => {
  const known = knownRelease(id, version)
  expect(known).toMatchObject({ id, family, release, endOfLife })
  expect(known !== undefined && isSameRelease(known, { family, name })).toBe(true)
  expect(known !== undefined && isSameRelease(known, { family: 'arch', name })).toBe(false)
  if (known !== undefined && release !== '') {
    expect(isSameRelease(known, { family, name: '99.9' })).toBe(false)
    expect(isSameRelease(known, { family, name: '' })).toBe(false)
  }
})

test.each([
  ['alpine', '3.99.0', 'a release that does not exist'],
  ['alpine', '3', 'a version without its second number'],
  ['debian', '', 'testing and unstable, which have no version'],
  ['debian', 'trixie/sid', 'a version in words'],
  ['debian', '120', 'a longer number'],
  ['debian', '14', 'a release that is not out'],
  ['ubuntu', '24.04.1', 'a version in another form'],
  ['arch', '', 'a system the scanner does not know'],
  ['fedora', '42', 'a system the scanner does not match'],
  ['rhel', '10.0', 'a release whose content sets the scanner does not know'],
  ['constructor', '1', 'a name of the language'],
  ['debian', 'constructor', 'a version of the language'],
  ['ubuntu', 'constructor', 'the same, taken as it stands'],
])('%s %s is not known: %s', (id, version) => {
  expect(knownRelease(id, version)).toBeUndefined()
})
