import type { Evidence } from '../../../src/evidence/evidence.js'
import type { LayerFacts, SystemFacts } from '../../../src/evidence/image.js'
import { present } from '../../../src/evidence/known.js'
import type { VulnerabilityScan } from '../../../src/evidence/scan.js'
import type { RuleId } from '../../../src/policy/rule-ids.js'
import type { Row } from './rule-table.js'
import {
  AMD,
  digest,
  gone,
  goodEvidence,
  LAYER,
  sampleConfig,
  sampleContents,
  samplePlatform,
  sampleScan,
  sampleSubject,
} from './sample.js'

type Os = NonNullable<VulnerabilityScan['os']>
const HIGHER = digest(0x2a)
const release = (id: string, version: string, layer = LAYER) => ({
  id,
  version,
  path: 'etc/os-release',
  layer,
})
const systemPackage = (type: string) => ({ purl: `pkg:${type}/x@1`, name: 'x', version: '1', type })

interface Seen {
  readonly databases?: SystemFacts['databases']
  readonly release?: SystemFacts['release'] | 'none'
  readonly earlier?: SystemFacts['earlier']
  /** Family and name the scanner gives; null when it recognises nothing. */
  readonly os?: readonly [string, string] | null
  /** Types of the system packages that the scan lists. */
  readonly packages?: readonly string[]
  readonly origin?: LayerFacts['origin']
}

/** Evidence of an image with this system and this scan; Debian 12 where nothing else is said. */
function system(seen: Seen): Evidence {
  const { databases = ['dpkg'], earlier = [], os = ['debian', '12.11'], packages = ['deb'], origin } = seen
  const named = seen.release ?? release('debian', '12')
  const { imageId, findings } = sampleScan()
  const told: Os | undefined = os === null ? undefined : { family: os[0], name: os[1], endOfLife: false }
  const [layer] = sampleContents().layers
  if (layer === undefined) throw new Error('no layer')
  const layers = [layer, { ...layer, diffId: HIGHER, ...(origin === undefined ? {} : { origin }) }]
  const facts = { databases, earlier, ...(named === 'none' ? {} : { release: named }) }
  return goodEvidence({
    platforms: [
      samplePlatform(AMD, {
        contents: present(sampleContents({ layers, system: facts })),
        vulnerabilities: present({
          ...{ imageId, findings },
          ...(told === undefined ? {} : { os: told }),
          packages: packages.map(systemPackage),
        }),
      }),
    ],
  })
}

function notLooked(): Evidence {
  const { layers, files, executables, users, setuid, unexplained, owners } = sampleContents()
  const contents = { layers, files, executables, users, setuid, unexplained, owners }
  return goodEvidence({ platforms: [samplePlatform(AMD, { contents: present(contents) })] })
}

/** A normal image: kind of database, ID and VERSION_ID, what the scanner calls it, type of its packages. */
function normal(
  database: 'dpkg' | 'apk' | 'rpm',
  [id, version]: readonly [string, string],
  os: readonly [string, string],
): Evidence {
  const type = { dpkg: 'deb', apk: 'apk', rpm: 'rpm' }[database]
  return system({ databases: [database], release: release(id, version), os, packages: [type] })
}

function onbuild(
  config: { readonly kept?: readonly string[]; readonly history?: readonly string[] },
  written: readonly string[] = [],
): Evidence {
  const history = (config.history ?? []).map(createdBy => ({ createdBy, emptyLayer: true }))
  const image = sampleConfig({ history, ...(config.kept === undefined ? {} : { onBuild: config.kept }) })
  const place = (line: number) => ({ file: 'Dockerfile', line })
  const instructions = written.map((text, at) => {
    return { keyword: 'ONBUILD', arguments: text, stage: 0, location: place(at + 2) }
  })
  return goodEvidence({
    subject: present(sampleSubject([AMD], image)),
    dockerfile: present({
      ...{ file: 'Dockerfile', bases: [], finalStage: place(1), base: place(1), chain: [0] },
      instructions,
    }),
  })
}

export const LAYER_TABLE = {
  'layer.wellformed': [
    ['all read', 'pass', goodEvidence()],
    [
      'one refused',
      'unknown',
      goodEvidence({ platforms: [samplePlatform(AMD, { contents: gone() })] }),
      'contents of the image of linux/amd64: the tool was silent',
    ],
    [
      'no layers',
      'not-applicable',
      goodEvidence({
        platforms: [samplePlatform(AMD, { contents: present(sampleContents({ layers: [] })) })],
      }),
    ],
  ],
  'inventory.os': [
    ['Debian', 'pass', normal('dpkg', ['debian', '12'], ['debian', '12.11'])],
    [
      'distroless, whose record names the release alone',
      'pass',
      normal('dpkg', ['debian', '13'], ['debian', '13']),
    ],
    ['Ubuntu', 'pass', normal('dpkg', ['ubuntu', '24.04'], ['ubuntu', '24.04'])],
    ['Alpine', 'pass', normal('apk', ['alpine', '3.20.3'], ['alpine', '3.20.3'])],
    ['Wolfi', 'pass', normal('apk', ['wolfi', '20230201'], ['wolfi', '20230201'])],
    ['Chainguard', 'pass', normal('apk', ['chainguard', '20230214'], ['chainguard', '20230214'])],
    ['Red Hat', 'pass', normal('rpm', ['rhel', '9.4'], ['redhat', '9.4'])],
    ['Amazon', 'pass', normal('rpm', ['amzn', '2023'], ['amazon', '2023.6.20241212 (Amazon Linux)'])],
    ['scratch', 'not-applicable', system({ databases: [], release: 'none', os: null, packages: [] })],
    ['only packages of a language', 'not-applicable', system({ databases: [], packages: ['pypi'] })],
    ['Debian with the library of rpm', 'pass', system({ databases: ['dpkg', 'rpm'] })],
    ['updated above the base', 'pass', system({ release: release('debian', '12', HIGHER) })],
    [
      'changed, but within the base',
      'pass',
      system({
        release: release('debian', '12', HIGHER),
        earlier: [release('debian', '11')],
        origin: 'base',
      }),
    ],
    [
      'changed above the base',
      'unknown',
      changed('own'),
      'a lower layer says that its packages are of "debian 11"',
    ],
    ['changed by nobody knows whom', 'unknown', changed(undefined), 'build on a base image of that release'],
    ['no os-release', 'unknown', system({ release: 'none' }), 'no os-release that can be read'],
    ['an os-release without a name', 'unknown', system({ release: release('', '') }), 'names no system'],
    [
      'a system without advisories',
      'unknown',
      system({ release: release('arch', '') }),
      'the scanner has no advisories',
    ],
    [
      'a release that does not exist',
      'unknown',
      system({
        databases: ['apk'],
        release: release('alpine', '3.99.0'),
        os: ['alpine', '3.99.0'],
        packages: [],
      }),
      'a release that the list of 20',
    ],
    [
      'Debian unstable',
      'unknown',
      system({ release: release('debian', '') }),
      'says "debian", a release that',
    ],
    ['nothing recognised', 'unknown', system({ os: null }), 'the scanner recognised no system'],
    ['another release recognised', 'unknown', system({ os: ['debian', '99'] }), 'took it for "debian 99"'],
    ['another system recognised', 'unknown', system({ os: ['ubuntu', '12'] }), 'took it for "ubuntu 12"'],
    [
      'a database of another kind',
      'unknown',
      system({ databases: ['dpkg', 'apk'] }),
      'the image says it is debian, and has a package database of apk',
    ],
    [
      'an rpm database in use on Debian',
      'unknown',
      system({ databases: ['dpkg', 'rpm'], packages: ['deb', 'rpm'] }),
      'has a package database of rpm',
    ],
    [
      'packages without a database',
      'unknown',
      system({ databases: [] }),
      'the image has no database of them',
    ],
    ['nobody looked', 'unknown', notLooked(), 'were not looked at'],
    ['contents missing', 'unknown', goodEvidence({ platforms: [samplePlatform(AMD, { contents: gone() })] })],
    [
      'scan missing',
      'unknown',
      goodEvidence({ platforms: [samplePlatform(AMD, { vulnerabilities: gone() })] }),
    ],
  ],
  'base.onbuild': [
    ['none', 'pass', goodEvidence()],
    ['none in the history', 'pass', onbuild({ history: ['RUN /bin/sh -c echo ONBUILD RUN x # buildkit'] })],
    ['kept in the configuration', 'fail', onbuild({ kept: ['RUN make'] })],
    ['written in the Dockerfile', 'fail', onbuild({ kept: ['RUN make'] }, ['RUN make'])],
    ['written, and dropped by the builder', 'fail', onbuild({}, ['RUN make'])],
    ['of the base', 'fail', onbuild({ history: ['/bin/sh -c #(nop)  ONBUILD RUN make'] })],
    ['of the base, BuildKit', 'fail', onbuild({ history: ['ONBUILD RUN make'] })],
    ['subject missing', 'unknown', goodEvidence({ subject: gone() })],
  ],
} as const satisfies Partial<Record<RuleId, readonly Row[]>>

function changed(origin: LayerFacts['origin']): Evidence {
  const seen = { release: release('debian', '12', HIGHER), earlier: [release('debian', '11')] }
  return system(origin === undefined ? seen : { ...seen, origin })
}
