import { CATALOG, TOOL_NAMES, assetUrl, toolPlatform } from '../../../src/tools/catalog.js'
import type { ToolPlatform } from '../../../src/tools/catalog.js'
import { refuseDenied } from '../../../src/tools/denylist.js'
import { reasonOf } from '../../support/reasons.js'

const PLATFORMS: readonly ToolPlatform[] = ['linux/amd64', 'linux/arm64', 'darwin/amd64', 'darwin/arm64']
const ROWS = TOOL_NAMES.flatMap(name => PLATFORMS.map(platform => ({ name, platform })))

test.each(ROWS)('$name has one exact asset for $platform', ({ name, platform }) => {
  const tool = CATALOG[name]
  const asset = tool.assets[platform]
  expect(asset?.sha256).toMatch(/^[0-9a-f]{64}$/)
  expect(tool.version).toMatch(/^\d+\.\d+\.\d+$/)
  expect(tool.path).toContain(`/releases/download/v${tool.version}`)
  expect(asset?.member !== undefined).toBe(asset?.asset.endsWith('.tar.gz'))
})

test('no hash stands for two assets', () => {
  const hashes = ROWS.map(({ name, platform }) => CATALOG[name].assets[platform]?.sha256)
  expect(new Set(hashes).size).toBe(ROWS.length)
})

test('an asset lies below the host or a mirror with the same path', () => {
  const asset = CATALOG.trivy.assets['linux/amd64']
  const url = asset === undefined ? '' : assetUrl('https://mirror.example/github/', CATALOG.trivy, asset)
  expect(url).toBe(
    'https://mirror.example/github/aquasecurity/trivy/releases/download/v0.74.0/trivy_0.74.0_Linux-64bit.tar.gz',
  )
})

test.each([
  ['linux', 'x64', 'linux/amd64'],
  ['linux', 'arm64', 'linux/arm64'],
  ['darwin', 'arm64', 'darwin/arm64'],
  ['linux', 'ia32', undefined],
  ['win32', 'x64', undefined],
])('%s on %s is %s', (os, arch, platform) => {
  expect(toolPlatform(os, arch)).toBe(platform)
})

test.each([
  [{ name: 'trivy', version: '0.69.4' }, 'tool-denied'],
  [{ name: 'trivy', version: 'v0.69.5' }, 'tool-denied'],
  [{ name: 'trivy', version: '0.69.6' }, 'tool-denied'],
  [
    { name: 'syft', sha256: '822dd269ec10459572dfaaefe163dae693c344249a0161953f0d5cdd110bd2a0' },
    'tool-denied',
  ],
  [{ name: 'trivy', version: '0.69.3' }, 'nothing was thrown'],
  [{ name: 'trivy', version: '0.74.0' }, 'nothing was thrown'],
  [{ name: 'syft', version: '0.69.4' }, 'nothing was thrown'],
] as const)('%j: %s', (found, reason) => {
  expect(reasonOf(() => refuseDenied(found))).toBe(reason)
})
