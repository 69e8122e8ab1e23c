import type { Digest } from '../../src/evidence/digest.js'

/** Reports in the exact shape of Trivy 0.74.0 and Syft 1.51.0, cut down to a few rows. */
export const IMAGE_ID: Digest = `sha256:${'1'.repeat(64)}`
export const MANIFEST: Digest = `sha256:${'2'.repeat(64)}`
export const BASE: Digest = `sha256:${'a'.repeat(64)}`
export const TOP: Digest = `sha256:${'b'.repeat(64)}`
export const REPORTED = { imageId: IMAGE_ID, diffIds: [BASE, TOP], platform: 'linux/amd64' } as const
export const SBOM_IMAGE = { manifest: MANIFEST, imageId: IMAGE_ID, platform: 'linux/amd64' } as const

const METADATA = {
  Size: 228677120,
  OS: { Family: 'debian', Name: '12.15' },
  ImageID: IMAGE_ID,
  DiffIDs: [BASE, TOP],
  ImageConfig: { architecture: 'amd64', os: 'linux' },
}
const SHARED = {
  SchemaVersion: 2,
  Trivy: { Version: '0.74.0' },
  ReportID: '01a20212-c20a-7870-ae99-f326ef98ea72',
  CreatedAt: '2026-11-22T07:05:13.482558213Z',
  ArtifactID: IMAGE_ID,
  ArtifactName: 'image',
  ArtifactType: 'container_image',
}
const DJANGO = {
  PURL: 'pkg:pypi/django@2.2',
  UID: '50f8ca6fd922c9be',
}
const METADATA_FILE = 'usr/local/lib/python3.11/dist-packages/Django-2.2.dist-info/METADATA'
const TOP_LAYER = { Digest: TOP, DiffID: TOP }

/** A package report with one Debian package (with epoch and source), one Python package and its finding. */
export const TRIVY = {
  ...SHARED,
  Metadata: METADATA,
  Results: [
    {
      Target: 'image (debian 12.15)',
      Class: 'os-pkgs',
      Type: 'debian',
      Packages: [
        {
          ID: 'bsdutils@1:2.38.1-5+deb12u3',
          Name: 'bsdutils',
          Identifier: {
            PURL: 'pkg:deb/debian/bsdutils@2.38.1-5%2Bdeb12u3?arch=amd64&distro=debian-12.15&epoch=1',
          },
          Version: '2.38.1',
          Release: '5+deb12u3',
          Epoch: 1,
          Arch: 'amd64',
          SrcName: 'util-linux',
          SrcVersion: '2.38.1',
          SrcRelease: '5+deb12u3',
          Layer: { Digest: BASE, DiffID: BASE },
          InstalledFiles: ['/usr/bin/logger'],
        },
      ],
      Vulnerabilities: [
        {
          VulnerabilityID: 'CVE-2024-28085',
          PkgID: 'bsdutils@1:2.38.1-5+deb12u3',
          PkgName: 'bsdutils',
          PkgIdentifier: {
            PURL: 'pkg:deb/debian/bsdutils@2.38.1-5%2Bdeb12u3?arch=amd64&distro=debian-12.15&epoch=1',
          },
          InstalledVersion: '1:2.38.1-5+deb12u3',
          Status: 'affected',
          Layer: { Digest: BASE, DiffID: BASE },
          Severity: 'IMPORTANT',
        },
      ],
    },
    {
      Target: 'Python',
      Class: 'lang-pkgs',
      Type: 'python-pkg',
      Packages: [
        { Name: 'Django', Identifier: DJANGO, Version: '2.2', Layer: TOP_LAYER, FilePath: METADATA_FILE },
      ],
      Vulnerabilities: [
        {
          VulnerabilityID: 'CVE-2019-12308',
          VendorIDs: ['PYSEC-2019-79', 'GHSA-7rp2-fm2h-wchj'],
          PkgName: 'Django',
          PkgPath: METADATA_FILE,
          PkgIdentifier: DJANGO,
          InstalledVersion: '2.2',
          FixedVersion: '2.1.9, 1.11.21, 2.2.2',
          Status: 'fixed',
          Layer: TOP_LAYER,
          SeveritySource: 'ghsa',
          DataSource: { ID: 'ghsa', Name: 'GitHub Security Advisory pip' },
          Title: 'CVE-2019-12308 in django',
          Severity: 'MEDIUM',
          PublishedDate: '2019-06-03T17:29:00Z',
        },
      ],
    },
    {
      Target: 'usr/bin/tool',
      Class: 'lang-pkgs',
      Type: 'gobinary',
      Packages: [{ ID: 'stdlib@v1.20', Name: 'stdlib', Identifier: {}, Version: 'v1.20', Layer: TOP_LAYER }],
    },
  ],
}

/** A secret report: one token in a file, one in the environment of the image. */
export const SECRETS = {
  ...SHARED,
  Metadata: METADATA,
  Results: [
    { Target: 'image (debian 12.15)', Class: 'os-pkgs', Type: 'debian' },
    {
      Target: '/app/tests/a.py',
      Class: 'secret',
      Secrets: [
        {
          RuleID: 'github-pat',
          Category: 'GitHub',
          Severity: 'CRITICAL',
          Title: 'GitHub Personal Access Token',
          StartLine: 3,
          EndLine: 3,
          Code: { Lines: [] },
          Match: 'TOKEN=****************',
          Layer: TOP_LAYER,
        },
      ],
    },
    {
      Target: 'image',
      Class: 'secret',
      Secrets: [
        { RuleID: 'github-pat', Category: 'GitHub', Severity: 'CRITICAL', Title: 'T', StartLine: 25 },
      ],
    },
  ],
}

const LAYER_OF = (layerID: string, path: string) => ({ path, layerID, annotations: { evidence: 'primary' } })

/** Syft's own document of the same image; six belongs to a Debian package. */
export const SYFT = {
  artifacts: [
    {
      id: 'deb1',
      name: 'bsdutils',
      version: '1:2.38.1-5+deb12u3',
      type: 'deb',
      purl: 'pkg:deb/debian/bsdutils@1%3A2.38.1-5%2Bdeb12u3?arch=amd64&distro=debian-12.15&upstream=util-linux',
      locations: [
        { path: '/usr/share/doc/x', annotations: { evidence: 'supporting' } },
        LAYER_OF(BASE, '/var/lib/dpkg/status'),
      ],
      metadata: { source: 'util-linux', sourceVersion: '2.38.1-5+deb12u3' },
    },
    {
      id: 'py1',
      name: 'Django',
      version: '2.2',
      type: 'python',
      purl: 'pkg:pypi/django@2.2',
      locations: [LAYER_OF(TOP, `/${METADATA_FILE}`)],
      metadata: { files: [] },
    },
    {
      id: 'py2',
      name: 'six',
      version: '1.16.0',
      type: 'python',
      purl: 'pkg:pypi/six@1.16.0',
      locations: [],
      metadata: null,
    },
  ],
  artifactRelationships: [
    { parent: 'deb1', child: 'py2', type: 'ownership-by-file-overlap', metadata: { files: ['/x'] } },
    { parent: 'deb1', child: 'f1', type: 'contains' },
  ],
  files: [],
  source: {
    id: '2'.repeat(64),
    name: 'registry.example/app',
    version: MANIFEST,
    type: 'image',
    metadata: { userInput: 'image', imageID: IMAGE_ID, manifestDigest: MANIFEST },
  },
  distro: { id: 'debian', versionID: '12.15' },
  descriptor: { name: 'syft', version: '1.51.0' },
  schema: { version: '16.1.10' },
}

export const SPDX = {
  spdxVersion: 'SPDX-2.3',
  dataLicense: 'CC0-1.0',
  SPDXID: 'SPDXRef-DOCUMENT',
  name: 'registry.example/app',
  documentNamespace: 'https://anchore.com/syft/image/app-86c79148',
  packages: [
    { SPDXID: 'SPDXRef-Package-deb-bsdutils', name: 'bsdutils', versionInfo: '1:2.38.1-5+deb12u3' },
    {
      SPDXID: 'SPDXRef-DocumentRoot-Image-app',
      name: 'registry.example/app',
      versionInfo: MANIFEST,
      checksums: [{ algorithm: 'SHA256', checksumValue: '2'.repeat(64) }],
      primaryPackagePurpose: 'CONTAINER',
    },
  ],
  relationships: [
    {
      spdxElementId: 'SPDXRef-DOCUMENT',
      relatedSpdxElement: 'SPDXRef-DocumentRoot-Image-app',
      relationshipType: 'DESCRIBES',
    },
  ],
}

export const CYCLONEDX = {
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  version: 1,
  metadata: { component: { type: 'container', name: 'registry.example/app', version: MANIFEST } },
  components: [
    { type: 'library', name: 'bsdutils' },
    { type: 'library', name: 'Django' },
    { type: 'operating-system', name: 'debian' },
    { type: 'file', name: '/usr/bin/logger' },
  ],
}
