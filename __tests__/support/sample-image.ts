import { randomBytes } from 'node:crypto'
import { makeIndexLayout, makeLayout, type LayoutFile, type LayoutImage } from './layouts.js'

/** A value in the form of a GitHub token, made afresh and valid nowhere. */
export function freshToken(): string {
  return ['ghp', randomBytes(18).toString('hex')].join('_')
}

const SITE = 'usr/local/lib/python3.11/site-packages'

/** Files of an installed Python package, as an installer leaves them. */
export function wheel(name: string, version: string): readonly LayoutFile[] {
  const info = `${SITE}/${name}-${version}.dist-info`
  const record = `${name}/__init__.py,,\n${name}-${version}.dist-info/METADATA,,\n${name}-${version}.dist-info/RECORD,,\n`
  return [
    { path: `${SITE}/${name}/__init__.py`, content: '' },
    { path: `${info}/METADATA`, content: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n` },
    { path: `${info}/RECORD`, content: record },
  ]
}

/** Files of an installed npm package. */
export function nodePackage(name: string, version: string): readonly LayoutFile[] {
  return [{ path: `app/node_modules/${name}/package.json`, content: JSON.stringify({ name, version }) }]
}

/** A Debian 12 tree with these packages in its package database. */
export function debianFiles(packages: Readonly<Record<string, string>>): readonly LayoutFile[] {
  const status = Object.entries(packages).map(
    ([name, version]) =>
      `Package: ${name}\nStatus: install ok installed\nMaintainer: nobody <nobody@example.com>\nArchitecture: amd64\nVersion: ${version}\nDescription: ${name}\n`,
  )
  return [
    { path: 'etc/os-release', content: 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\n' },
    { path: 'etc/debian_version', content: '12.5\n' },
    { path: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/app:/bin/sh\n' },
    { path: 'var/lib/dpkg/status', content: `${status.join('\n')}\n` },
    ...Object.keys(packages).map(name => ({
      path: `var/lib/dpkg/info/${name}.list`,
      content: `/usr/bin/${name}\n`,
    })),
    ...Object.keys(packages).map(name => ({ path: `usr/bin/${name}`, content: '#!/bin/sh\n', mode: 0o755 })),
  ]
}

/** The image of most inspection tests: Debian below, Python and npm packages above, nothing secret. */
export const SAMPLE: LayoutImage = {
  layers: [
    {
      files: debianFiles({ curl: '7.88.1-10', zlib1g: '1:1.2.13.dfsg-1' }),
      createdBy: 'ADD base.tar / # buildkit',
    },
    {
      files: [
        ...wheel('langchain', '0.0.170'),
        ...wheel('idna', '3.7'),
        ...nodePackage('minimist', '1.2.5'),
        ...nodePackage('lodash', '4.17.21'),
      ],
      createdBy: 'COPY . / # buildkit',
    },
  ],
  config: { User: 'app', Env: ['PATH=/usr/bin'] },
}

/** Writes the sample image, alone or as an index of two platforms. */
export async function sampleLayout(dir: string, platforms: 1 | 2 = 1): Promise<string> {
  if (platforms === 1) await makeLayout(dir, SAMPLE)
  else {
    const arm = { ...SAMPLE, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } }
    await makeIndexLayout(dir, [SAMPLE, arm])
  }
  return dir
}
