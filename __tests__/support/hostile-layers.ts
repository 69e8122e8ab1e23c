import { gzipSync } from 'node:zlib'
import { GIB, imageOf, many, MIB, tarLayers, writeStream } from './hostile-making.js'
import type { HostileLayout, Pieces } from './hostile-making.js'
import { digestOf, MEDIA, writeIndex } from './layouts.js'
import { END, GNU, paxRecord, rawEntry } from './raw-tar.js'
import type { RawEntry } from './raw-tar.js'

/** A gzip bomb: members of zeros, one after another, which are one stream (RFC 1952). */
async function gzipBomb(dir: string): Promise<void> {
  const sizeField = Buffer.alloc(12)
  sizeField.writeUInt8(0x80, 0)
  sizeField.writeBigUInt64BE(BigInt(10 * GIB), 4)
  const head = gzipSync(rawEntry({ name: 'zeros', sizeField }))
  const member = gzipSync(Buffer.alloc(64 * MIB), { level: 9 })
  const members = Array.from({ length: (10 * GIB) / (64 * MIB) }, () => member)
  await packedLayer(dir, [head, ...members, gzipSync(END)], MEDIA.layerGzip)
}

/** A zstd bomb: a frame of RLE blocks, 128 KiB in four bytes each (RFC 8878, 3.1.1.2). */
async function zstdBomb(dir: string): Promise<void> {
  const blocks = Buffer.alloc(4 * 81_920)
  for (let at = 0; at < blocks.length; at += 4)
    blocks.writeUIntLE((131_072 << 3) | 2 | (at + 4 === blocks.length ? 1 : 0), at, 3)
  // Window of 128 KiB.
  await packedLayer(dir, [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38]), blocks], MEDIA.layerZstd)
}

async function packedLayer(dir: string, pieces: Pieces, mediaType: string): Promise<void> {
  const stored = await writeStream(dir, pieces, false)
  const layer = { ...stored, mediaType, diffId: digestOf('whatever it unpacks to') }
  await writeIndex(dir, [await imageOf(dir, [layer])])
}

const bigPax: RawEntry = { flag: 'x', name: 'header', data: paxRecord('comment', 'c'.repeat(1_000_000)) }
const longName = (at: number, length: number): string => `${at}/`.padEnd(length, 'n')
const deep = (components: number): string => 'd/'.repeat(components)
const paxPath = (path: string): RawEntry => ({ flag: 'x', name: 'header', data: paxRecord('path', path) })

function* longPaths(count: number, path: (at: number) => string, entry: RawEntry = {}): Pieces {
  for (let at = 0; at < count; at += 1) {
    yield rawEntry(paxPath(path(at)))
    yield rawEntry({ name: 'x', ...entry })
  }
}

/** Links through links, each by a target of 4,000 characters that goes in and out of a folder. */
function* linkLadder(): Pieces {
  yield rawEntry({ name: 'd/', flag: '5' })
  const round = 'd/../'.repeat(800)
  for (let at = 0; at < 39; at += 1) {
    const target = `${round}${at === 0 ? 'd' : `l${at - 1}`}`
    yield rawEntry({ flag: 'x', name: 'header', data: paxRecord('linkpath', target) })
    yield rawEntry({ name: `l${at}`, flag: '2' })
  }
  yield* many(200_000, at => `l38/f${at}`)
}

/** Folders below folders, reached through links, deeper than any path is long. */
function* deeperThanPaths(): Pieces {
  const step = deep(100)
  yield rawEntry({ name: 'l0', flag: '2', linkname: '.' })
  for (let at = 1; at < 39; at += 1) {
    yield* longPaths(1, () => `l${at - 1}/${step}`, { flag: '5' })
    yield* longPaths(1, () => `l${at}`, { flag: '2', linkname: `l${at - 1}/${'d/'.repeat(40)}d` })
  }
}

function* manyOpaque(): Pieces {
  yield* many(100_000, at => `d/f${at}`)
  yield* many(100_000, () => 'd/.wh..wh..opq')
}

/** Layouts whose layers are hostile. */
export const HOSTILE_LAYERS: readonly HostileLayout[] = [
  { what: 'gzip bomb of 10 GiB', ends: 'layer-bomb', make: gzipBomb },
  { what: 'zstd bomb of 10 GiB', ends: 'layer-bomb', make: zstdBomb },
  {
    what: 'a million and one entries',
    ends: 'layer-too-many-files',
    make: tarLayers(() => many(1_000_001, at => `f/${at}`)),
  },
  {
    what: 'a million folders',
    ends: 'read',
    make: tarLayers(() => many(999_999, at => `f/${at}/`, { flag: '5' })),
  },
  {
    what: 'two layers of 900,000 files each',
    ends: 'layer-too-many-files',
    make: tarLayers(
      () => many(900_000, at => `one/${at}`),
      () => many(900_000, at => `two/${at}`),
    ),
  },
  {
    what: 'a path of a million folders',
    ends: 'tar-pax-size',
    make: tarLayers(() => longPaths(1, () => deep(1_000_000))),
  },
  {
    what: 'a path of 400,000 folders',
    ends: 'tar-path-length',
    make: tarLayers(() => longPaths(1, () => deep(400_000), { flag: '5' })),
  },
  {
    what: '10,000 paths of 2,000 folders each',
    ends: 'layer-path-depth',
    make: tarLayers(() => longPaths(10_000, at => `${at}/${deep(2000)}`, { flag: '5' })),
  },
  {
    what: '10,000 paths of 250 new folders each',
    ends: 'layer-too-many-files',
    make: tarLayers(() => longPaths(10_000, at => `${at}/${deep(250)}`, { flag: '5' })),
  },
  {
    what: '40,000 names of 4,000 bytes',
    ends: 'layer-names-too-long',
    make: tarLayers(() => longPaths(40_000, at => longName(at, 4000))),
  },
  {
    what: 'folders deeper than any path is long',
    ends: 'layer-path-depth',
    make: tarLayers(deeperThanPaths),
  },
  { what: 'a ladder of symbolic links', ends: 'layer-too-tangled', make: tarLayers(linkLadder) },
  {
    what: 'symbolic links in a circle',
    ends: 'layer-path',
    make: tarLayers(() => [
      rawEntry({ name: 'a', flag: '2', linkname: 'b' }),
      rawEntry({ name: 'b', flag: '2', linkname: 'a' }),
      rawEntry({ name: 'a/file' }),
    ]),
  },
  {
    what: 'hard links in a circle',
    ends: 'layer-hard-link',
    make: tarLayers(() => [
      rawEntry({ name: 'a', flag: '1', linkname: 'b' }),
      rawEntry({ name: 'b', flag: '1', linkname: 'a' }),
    ]),
  },
  {
    what: 'a hard link to itself',
    ends: 'layer-hard-link',
    make: tarLayers(() => [rawEntry({ name: 'a', flag: '1', linkname: 'a' })]),
  },
  {
    what: 'targets of links of 900,000 bytes',
    ends: 'tar-path-length',
    make: tarLayers(function* () {
      for (let at = 0; at < 1000; at += 1) {
        yield rawEntry({ flag: 'x', name: 'header', data: paxRecord('linkpath', 't'.repeat(900_000)) })
        yield rawEntry({ name: `l${at}`, flag: '2' })
      }
    }),
  },
  {
    what: 'extended headers of 1 MB, 500 of them',
    ends: 'tar-pax-order',
    make: tarLayers(() => Array.from({ length: 500 }, () => rawEntry(bigPax))),
  },
  {
    what: 'an extended header of 8 GB',
    ends: 'tar-pax-size',
    make: tarLayers(() => [rawEntry({ flag: 'x', name: 'header', size: 8 * GIB - 1 })]),
  },
  {
    what: 'one entry 200,000 times',
    ends: 'read',
    make: tarLayers(() => many(200_000, () => 'etc/same', { data: 'x' })),
  },
  {
    what: '300,000 whiteouts of nothing',
    ends: 'read',
    make: tarLayers(() => many(300_000, at => `d/.wh.f${at}`)),
  },
  { what: 'opaque whiteouts over 100,000 files, 100,000 of them', ends: 'read', make: tarLayers(manyOpaque) },
  {
    what: 'a sparse file',
    ends: 'tar-sparse',
    make: tarLayers(() => [rawEntry({ name: 's', flag: 'S', magic: GNU })]),
  },
  {
    what: 'a sparse file of PAX',
    ends: 'tar-sparse',
    make: tarLayers(() => [
      rawEntry({ flag: 'x', name: 'h', data: paxRecord('GNU.sparse.realsize', '9999999999999') }),
      rawEntry({ name: 's' }),
    ]),
  },
  {
    what: 'a global header that renames',
    ends: 'tar-global-pax',
    make: tarLayers(() => [rawEntry({ flag: 'g', name: 'h', data: paxRecord('path', 'etc/shadow') })]),
  },
  {
    what: 'entries behind the end marker',
    ends: 'tar-trailing-data',
    make: tarLayers(() => [END, rawEntry({ name: 'behind' })]),
  },
  {
    what: 'a path that climbs out',
    ends: 'tar-path-escape',
    make: tarLayers(() => [rawEntry({ name: '../../etc/passwd' })]),
  },
  {
    what: 'package metadata of 1 GiB',
    ends: 'metadata-too-large',
    make: tarLayers(function* () {
      yield rawEntry({ name: 'var/lib/dpkg/status', size: GIB }).subarray(0, 512)
      for (let at = 0; at < 1024; at += 1) yield Buffer.alloc(MIB, 'Package: x\n')
    }),
  },
  {
    what: 'package metadata that claims more than it holds',
    ends: 'read',
    make: tarLayers(function* () {
      const data = `P:x\nV:1\nF:${'f'.repeat(1_000_000)}\n${'R:a\n'.repeat(1_000_000)}\n`
      yield rawEntry({ name: 'lib/apk/db/installed', data })
    }),
  },
  {
    what: 'package metadata of 12 MiB in 16 files, and each a long quoted path',
    ends: 'read',
    make: tarLayers(function* () {
      for (let at = 0; at < 15; at += 1) {
        yield rawEntry({ name: `x-${at}.dist-info/METADATA` })
        yield rawEntry({ name: `x-${at}.dist-info/RECORD`, data: `"${'a'.repeat(12 * MIB)}"` })
      }
    }),
  },
  {
    what: 'package metadata written 40 times over',
    ends: 'read',
    make: tarLayers(function* () {
      const data = 'Package: x\n'.repeat(1_000_000)
      for (let at = 0; at < 40; at += 1) yield rawEntry({ name: 'var/lib/dpkg/status', data })
    }),
  },
  {
    what: 'records of a wheel in a long folder',
    ends: 'metadata-too-large',
    make: tarLayers(function* () {
      const site = `${'s'.repeat(200)}/`.repeat(18)
      const info = `${site}x-1.dist-info`
      yield* longPaths(1, () => `${info}/METADATA`)
      yield rawEntry(paxPath(`${info}/RECORD`))
      yield rawEntry({ name: 'x', data: 'a,,\n'.repeat(4_000_000) })
    }),
  },
]
