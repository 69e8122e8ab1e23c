import type { ToolName } from '../evidence/tooling.js'

export type ToolPlatform = 'linux/amd64' | 'linux/arm64' | 'darwin/amd64' | 'darwin/arm64'

/** One release asset. `member` is the program inside a tar.gz; absent when the asset is the program itself. */
export interface CatalogAsset {
  readonly asset: string
  /** SHA-256 of the asset (not of the program inside it), hex. */
  readonly sha256: string
  readonly member?: string
}

/** One pinned tool. `path` is the folder of its release below the host, without slashes at the ends. */
export interface CatalogTool {
  readonly version: string
  readonly path: string
  readonly assets: Readonly<Partial<Record<ToolPlatform, CatalogAsset>>>
}

export type Catalog = Readonly<Record<ToolName, CatalogTool>>

export const TOOL_NAMES: readonly ToolName[] = ['trivy', 'syft', 'cosign', 'crane']
export const RELEASE_BASE = 'https://github.com'

/**
 * What we run, exactly: this table, and nothing a release host says about itself (checksum files, "latest"), decides
 * what may be started. Where each value was seen: docs/tools.md.
 */
export const CATALOG: Catalog = {
  trivy: {
    version: '0.74.0',
    path: 'aquasecurity/trivy/releases/download/v0.74.0',
    assets: {
      'linux/amd64': {
        asset: 'trivy_0.74.0_Linux-64bit.tar.gz',
        sha256: '2ae6fe3ee734b7fdf11335663e18c75ea12dccc76062f09f164a3b0f8be4371a',
        member: 'trivy',
      },
      'linux/arm64': {
        asset: 'trivy_0.74.0_Linux-ARM64.tar.gz',
        sha256: 'b94ce1976bbf3c15b514b605ee88be7c6d94a29be2302847ff01cb794d47aad5',
        member: 'trivy',
      },
      'darwin/amd64': {
        asset: 'trivy_0.74.0_macOS-64bit.tar.gz',
        sha256: '472816f6888dda689d075c30254d4210b4d1035acf365aa72332f584c2f60485',
        member: 'trivy',
      },
      'darwin/arm64': {
        asset: 'trivy_0.74.0_macOS-ARM64.tar.gz',
        sha256: '1caada5e0e2091909357c7525d3aa76f4b660b13821bc143b190c7483e31cc11',
        member: 'trivy',
      },
    },
  },
  syft: {
    version: '1.51.0',
    path: 'anchore/syft/releases/download/v1.51.0',
    assets: {
      'linux/amd64': {
        asset: 'syft_1.51.0_linux_amd64.tar.gz',
        sha256: '2a2e837a2c8d59ec9af5472ee22d3b04ee463c4e44476ecf993fd1e5ab6ebc7f',
        member: 'syft',
      },
      'linux/arm64': {
        asset: 'syft_1.51.0_linux_arm64.tar.gz',
        sha256: '6c0466811541ea03add5213a60a1562f0851e4c0b0ecfdee1a694a9455285900',
        member: 'syft',
      },
      'darwin/amd64': {
        asset: 'syft_1.51.0_darwin_amd64.tar.gz',
        sha256: 'cddf9a044145caf0a1a3194d00d1dd51a1666f4814f2919cdb4768a0c062ad95',
        member: 'syft',
      },
      'darwin/arm64': {
        asset: 'syft_1.51.0_darwin_arm64.tar.gz',
        sha256: '4f37f4c7fefce0a68e4cf71ba3f5f9829a99e65d89b29f7ee41b8c2c10ea8c59',
        member: 'syft',
      },
    },
  },
  cosign: {
    version: '3.1.3',
    path: 'sigstore/cosign/releases/download/v3.1.3',
    assets: {
      'linux/amd64': {
        asset: 'cosign-linux-amd64',
        sha256: '4629c757b7618056f8ddd7e2625ae9fdd94c0372a65049520bc7d9df9efc7f71',
      },
      'linux/arm64': {
        asset: 'cosign-linux-arm64',
        sha256: 'c5d324e091826b0d7a78eb16fef316450b4eb9aaec045611c08ba06f5e73220a',
      },
      'darwin/amd64': {
        asset: 'cosign-darwin-amd64',
        sha256: '2347488e5d5b25336644024dfeca5601b190e91197a71a917bda44744aff106c',
      },
      'darwin/arm64': {
        asset: 'cosign-darwin-arm64',
        sha256: '5cf948c2f4dfe59687bdd0b8523709067383e03982cc543475c8a7dc70e92a76',
      },
    },
  },
  crane: {
    version: '0.22.1',
    path: 'google/go-containerregistry/releases/download/v0.22.1',
    assets: {
      'linux/amd64': {
        asset: 'go-containerregistry_Linux_x86_64.tar.gz',
        sha256: '0ab7a1d6932a213aed964ce97666c3077fe691c8606413674a8b3e0b9ec4cda0',
        member: 'crane',
      },
      'linux/arm64': {
        asset: 'go-containerregistry_Linux_arm64.tar.gz',
        sha256: '898c0cff975f898a33e8c4580bdafb0e7c02c7faa33374e946762f97c4ab7110',
        member: 'crane',
      },
      'darwin/amd64': {
        asset: 'go-containerregistry_Darwin_x86_64.tar.gz',
        sha256: '6fedd06a648c11335f0e8b9547e4783002c30e9336047fec292942cd518bb799',
        member: 'crane',
      },
      'darwin/arm64': {
        asset: 'go-containerregistry_Darwin_arm64.tar.gz',
        sha256: '2231fc8df8806d20d680ff1225db44e095a55dd6ac1ae8eced4faf4b278b78fb',
        member: 'crane',
      },
    },
  },
}

/** Our name of a machine, or undefined where no asset is pinned for it. Takes Node's own words. */
export function toolPlatform(os: string, arch: string): ToolPlatform | undefined {
  if (os !== 'linux' && os !== 'darwin') return undefined
  if (arch === 'x64') return `${os}/amd64`
  return arch === 'arm64' ? `${os}/arm64` : undefined
}

/** Where an asset lies below a release host or a mirror that keeps the same paths. */
export function assetUrl(base: string, tool: CatalogTool, asset: CatalogAsset): string {
  return `${base.replace(/\/+$/u, '')}/${tool.path}/${asset.asset}`
}
