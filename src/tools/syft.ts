import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Commands, Program } from './command.js'
import { readScannerOutput, runScanner, SCAN_MS } from './scanner.js'

/** Syft as it is called here. */
export interface Syft {
  readonly commands: Commands
  readonly program: Program
  /** The empty configuration of `writeSyftFiles`. Absolute. */
  readonly files: SyftFiles
  /** Default `SCAN_MS`. */
  readonly timeoutMs?: number
}

export interface SyftFiles {
  readonly dir: string
  readonly empty: string
}

/** One call. `input` (a layout folder) is relative to `cwd`; `name` is what the documents call the image. */
export interface SyftScan {
  readonly cwd: string
  readonly input: string
  readonly name: string
  /** Folder that only this call writes to. Absolute. */
  readonly outDir: string
}

/** The texts of the three documents of one run. */
export interface SyftDocuments {
  readonly spdx: string
  readonly cycloneDx: string
  readonly syft: string
}

const FORMATS = { spdx: 'spdx-json@2.3', cycloneDx: 'cyclonedx-json@1.6', syft: 'syft-json' } as const

/** Writes the empty configuration that keeps Syft from reading one in a working directory or home folder. */
export async function writeSyftFiles(dir: string): Promise<SyftFiles> {
  await mkdir(dir, { recursive: true })
  const empty = join(dir, 'empty.yaml')
  await writeFile(empty, '')
  return { dir, empty }
}

/** One analysis of a one-image layout, three documents: SPDX 2.3, CycloneDX 1.6 and Syft's own JSON. */
export async function catalogImage(syft: Syft, scan: SyftScan): Promise<SyftDocuments> {
  const files = {
    spdx: join(scan.outDir, 'spdx.json'),
    cycloneDx: join(scan.outDir, 'cyclonedx.json'),
    syft: join(scan.outDir, 'syft.json'),
  }
  await runScanner(syft.commands, {
    program: syft.program,
    args: [
      ...['scan', `oci-dir:${scan.input}`, '--quiet', '--config', syft.files.empty],
      ...['--source-name', scan.name],
      ...['--output', `${FORMATS.spdx}=${files.spdx}`],
      ...['--output', `${FORMATS.cycloneDx}=${files.cycloneDx}`],
      ...['--output', `${FORMATS.syft}=${files.syft}`],
    ],
    grant: 'scanner',
    cwd: scan.cwd,
    timeoutMs: syft.timeoutMs ?? SCAN_MS,
    variables: { SYFT_CHECK_FOR_APP_UPDATE: 'false' },
    paths: { read: [scan.cwd, syft.files.dir], write: [scan.outDir] },
  })
  const [spdx, cycloneDx, own] = await Promise.all(
    [files.spdx, files.cycloneDx, files.syft].map(file => readScannerOutput(file, syft.program)),
  )
  return { spdx: spdx ?? '', cycloneDx: cycloneDx ?? '', syft: own ?? '' }
}
