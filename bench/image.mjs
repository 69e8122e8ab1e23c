// A real Debian image of 300 to 500 MB (unpacked) as a ready OCI layout, made once and kept in the cache.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { cacheRoot } from '../toolchain/cache-root.mjs'

const EPOCH = '1700000000'
const PACKAGES = 'python3,python3-pip,gcc,libc6-dev,perl,curl,ca-certificates'
const ROOT_KEY = createHash('sha256').update(`${EPOCH} ${PACKAGES}`).digest('hex').slice(0, 16)

/** Path of the layout, made when it is not in the cache. Needs mmdebstrap and the machine's own apt sources. */
export async function benchImage() {
  const dir = join(cacheRoot(), 'bench', `debian-${ROOT_KEY}`)
  if (existsSync(join(dir, 'index.json'))) return dir
  const work = `${dir}.part`
  rmSync(work, { recursive: true, force: true })
  mkdirSync(join(work, 'blobs', 'sha256'), { recursive: true })
  const tar = join(work, 'root.tar')
  console.error('making the Debian image of the benchmark (once)')
  execFileSync(
    'mmdebstrap',
    ['--variant=minbase', '--mode=root', '--quiet', `--include=${PACKAGES}`, 'bookworm', tar],
    {
      env: { ...process.env, SOURCE_DATE_EPOCH: EPOCH },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  )
  await writeLayout(work, tar)
  rmSync(tar)
  renameSync(work, dir)
  return dir
}

async function writeLayout(dir, tar) {
  const diffId = await sha256(tar)
  const packed = join(dir, 'layer.gz')
  await pipeline(createReadStream(tar), createGzip({ level: 6 }), createWriteStream(packed))
  const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...(await place(dir, packed)) }
  const config = blob(dir, {
    architecture: 'amd64',
    os: 'linux',
    config: { User: 'nobody', Labels: {} },
    rootfs: { type: 'layers', diff_ids: [`sha256:${diffId}`] },
    history: [{ created_by: 'mmdebstrap' }],
  })
  const manifest = blob(dir, {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: [layer],
  })
  const platform = { architecture: 'amd64', os: 'linux' }
  const entry = { mediaType: 'application/vnd.oci.image.manifest.v1+json', ...manifest, platform }
  writeFileSync(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }))
}

function blob(dir, value) {
  const text = JSON.stringify(value)
  const hex = createHash('sha256').update(text).digest('hex')
  writeFileSync(join(dir, 'blobs', 'sha256', hex), text)
  return { digest: `sha256:${hex}`, size: Buffer.byteLength(text) }
}

async function place(dir, file) {
  const hex = await sha256(file)
  renameSync(file, join(dir, 'blobs', 'sha256', hex))
  return { digest: `sha256:${hex}`, size: statSync(join(dir, 'blobs', 'sha256', hex)).size }
}

async function sha256(file) {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk)
  return hash.digest('hex')
}
