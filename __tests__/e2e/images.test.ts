import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { RunRecord } from '../../src/record/record.js'
import { debianLayout, expectedFindings } from '../support/debian-root.js'
import {
  makeProject,
  openBench,
  policyText,
  readRecord,
  recordOf,
  runGate,
  type Bench,
  type GateResult,
  type Project,
} from '../support/gate-runs.js'
import { makeLayout, type LayoutImage } from '../support/layouts.js'
import { mustEndWith, portcullis, shellEnvironment } from '../support/terminal.js'
import { machinePath, makeKeyPair, run, toolPath } from '../support/tools.js'

let bench: Bench

beforeAll(async () => {
  bench = await openBench()
})

afterAll(async () => {
  await bench.close()
})

async function projectWith(image: LayoutImage, policy = policyText()): Promise<Project> {
  const dir = await bench.folder('project')
  await mkdir(join(dir, '.github'))
  await writeFile(join(dir, '.github', 'portcullis.yml'), policy)
  const layout = join(dir, 'layout')
  await makeLayout(layout, image)
  return { dir, layout }
}

function ruleOf(record: RunRecord, rule: string): NonNullable<RunRecord['verdict']>['results'][number] {
  const result = record.verdict?.results.find(one => one.rule === rule)
  if (result === undefined) throw new Error(`the rule ${rule} was not judged`)
  return result
}

describe('scratch images', () => {
  it('with nothing in it passes and is released', async () => {
    const project = await projectWith({ layers: [{ files: [] }] })
    const result = await runGate(bench, project, { repository: 'scratch-empty' })
    const record = recordOf(result)
    expect([result.code, record.outcome, record.problems]).toEqual([0, 'pass', []])
    expect(record.packages).toBe(0)
    expect(ruleOf(record, 'inventory.unexplained').violations).toEqual([])
    expect(await bench.registry.tags('scratch-empty')).toEqual(['1.0.0'])
  })

  it('with data alone passes', async () => {
    const files = [{ path: 'srv/index.html', content: '<h1>Hello</h1>\n' }]
    const result = await runGate(bench, await projectWith({ layers: [{ files }] }), {
      repository: 'scratch-data',
    })
    expect([result.code, recordOf(result).outcome]).toEqual([0, 'pass'])
  })

  it('with executables and no packages shows them as unexplained, and enforcing that refuses it', async () => {
    const program = await readFile('/bin/true')
    const files = [
      { path: 'app/server', content: program, mode: 0o755 },
      { path: 'app/start.sh', content: '#!/bin/sh\nexec /app/server\n', mode: 0o755 },
      { path: 'app/notes.txt', content: 'not to be run\n' },
    ]
    const image: LayoutImage = { layers: [{ files }], config: { User: '65532' } }
    const shown = await runGate(bench, await projectWith(image), { repository: 'scratch-programs' })
    const unexplained = ruleOf(recordOf(shown), 'inventory.unexplained')
    expect(unexplained.violations.map(one => one.imagePath).toSorted()).toEqual([
      'app/server',
      'app/start.sh',
    ])
    expect(shown.stdout).toContain('app/server')

    const strict = policyText([], ['rules:', '  inventory.unexplained:', '    mode: enforce'])
    const refused = await runGate(bench, await projectWith(image, strict), { repository: 'scratch-refused' })
    expect([refused.code, recordOf(refused).reason]).toEqual([1, 'inventory.unexplained'])
    expect(await bench.registry.catalog()).not.toContain('scratch-refused')
  })
})

describe('Alpine-like images', () => {
  it('the vulnerable one is refused with what to change, the fixed one is released', async () => {
    const bad = await runGate(bench, await makeProject(bench, 'vulnerable'), { repository: 'alpine-bad' })
    const record = recordOf(bad)
    expect([bad.code, record.outcome, record.release.state]).toEqual([1, 'fail', 'refused'])
    const { violations } = ruleOf(record, 'vulnerability.severity')
    expect(violations.length).toBeGreaterThan(0)
    for (const violation of violations) {
      expect(violation.purl).toMatch(/^pkg:(apk|pypi|npm)\//)
      expect(violation.fix).toBeDefined()
    }
    expect(bad.stdout).toMatch(/ change {2}/)
    expect(await bench.registry.catalog()).not.toContain('alpine-bad')

    const good = await runGate(bench, await makeProject(bench, 'fixed'), { repository: 'alpine-good' })
    expect([good.code, recordOf(good).release.state]).toEqual([0, 'released'])
    expect(await bench.registry.tags('alpine-good')).toEqual(['1.0.0'])
  })
})

const descriptor = z.object({ digest: z.string(), size: z.number(), mediaType: z.string() })
const manifestSchema = z.object({ config: descriptor, layers: z.array(descriptor) })
const inspectSchema = z.object({ Digest: z.string(), Layers: z.array(z.string()), Architecture: z.string() })
const envelopeSchema = z.object({ payload: z.string() })
const statementSchema = z.object({
  predicateType: z.string(),
  subject: z.array(z.object({ digest: z.object({ sha256: z.string() }) })),
})

describe('a real Debian with real Python wheels', () => {
  let project: Project
  let result: GateResult
  let record: RunRecord
  let reference = ''

  /** The command as a person types it: programs from source, the policy by name. */
  async function gateBySource(repository: string, policy: string): Promise<GateResult> {
    await writeFile(join(project.dir, 'release-policy.yml'), policy)
    const home = await bench.folder('home')
    const tmp = await bench.folder('tmp')
    const reportDir = join(await bench.folder('report'), 'report')
    const image = `${bench.registry.host}/${repository}`
    const ending = await portcullis(
      [
        ...['gate', project.dir, '--image', image, '--subject', `oci-layout:${project.layout}`],
        ...['--tools', 'source', '--database', bench.database, '--policy', 'release-policy.yml'],
        ...['--publish', 'always', '--tags', '1.0.0', '--sign', 'key', '--key', bench.key.key],
        ...['--output', reportDir],
      ],
      {
        cwd: project.dir,
        env: {
          ...shellEnvironment({ home, tmp }),
          PATH: process.env['PATH'] ?? '',
          PORTCULLIS_CACHE: dirname(dirname(dirname(toolPath('trivy')))),
          COSIGN_PASSWORD: bench.key.password,
        },
      },
    )
    return { ...ending, record: await readRecord(reportDir), reportDir, home, tmp }
  }

  beforeAll(async () => {
    const dir = await bench.folder('project')
    project = { dir, layout: await debianLayout(join(dir, 'layout')) }
    const lax = ['vulnerability.severity', 'vulnerability.kev', 'secret.found']
    result = await gateBySource('debian', policyText(lax))
    record = recordOf(result)
    reference = `${bench.registry.host}/debian@${record.release.digest ?? ''}`
  }, 900_000)

  it('is refused by the recommended rules, for exactly the packages with advisories; nothing is pushed', async () => {
    const policy = policyText([], ['vulnerabilities:', '  fail_on: low', '  fixable_only: false'])
    const refused = await gateBySource('debian-refused', policy)
    expect([refused.code, refused.record?.outcome]).toEqual([1, 'fail'])
    const { violations } = ruleOf(recordOf(refused), 'vulnerability.severity')
    const flagged = new Set(
      violations.flatMap(one =>
        one.purl?.startsWith('pkg:pypi/') === true ? [one.purl.slice(9).replace('@', ' ')] : [],
      ),
    )
    const expected = Object.entries(await expectedFindings())
    const vulnerable = expected.filter(([, ids]) => ids.length > 0).map(([name]) => name.toLowerCase())
    expect([...flagged].map(name => name.toLowerCase()).toSorted()).toEqual(vulnerable.toSorted())
    expect(await bench.registry.catalog()).not.toContain('debian-refused')
  })

  it('with tools from source is released: exit 0, every stage done', () => {
    mustEndWith(0, result)
    expect(record.stages.map(stage => stage.state)).not.toContain('failed')
    expect(record.tools.map(tool => [tool.name, tool.source, tool.verified])).toEqual([
      ['cosign', 'source', true],
      ['crane', 'source', true],
      ['syft', 'source', true],
      ['trivy', 'source', true],
    ])
    expect(record.packages).toBeGreaterThan(80)
    expect(record.release).toMatchObject({ state: 'released', tags: [{ tag: '1.0.0', state: 'created' }] })
  })

  it('sha256sum of what the registry serves agrees with the record', async () => {
    const folder = await bench.folder('fetched')
    const digest = record.subject?.digest ?? ''
    const accept = 'application/vnd.oci.image.manifest.v1+json'
    const bytes = await fetched(`debian/manifests/${digest}`, join(folder, 'manifest'), accept)
    const manifest = manifestSchema.parse(JSON.parse(bytes))
    const files = [{ file: 'manifest', digest }]
    for (const [at, blob] of [manifest.config, ...manifest.layers].entries()) {
      await fetched(`debian/blobs/${blob.digest}`, join(folder, `blob-${at}`))
      files.push({ file: `blob-${at}`, digest: blob.digest })
    }
    const { stdout } = await run(
      'sha256sum',
      files.map(one => one.file),
      { cwd: folder },
    )
    const sums = stdout
      .trim()
      .split('\n')
      .map(line => line.split(/\s+/))
    expect(sums).toEqual(files.map(one => [one.digest.replace('sha256:', ''), one.file]))
    const child = record.subject?.platforms[0]
    expect(child?.configDigest).toBe(manifest.config.digest)
    expect(child?.layers.map(layer => layer.digest)).toEqual(manifest.layers.map(one => one.digest))
    expect(record.imageId).toBe(manifest.config.digest)
  })

  async function fetched(path: string, file: string, accept?: string): Promise<string> {
    const answer = await bench.registry.fetch(path, accept)
    expect([path, answer.status]).toEqual([path, 200])
    const bytes = Buffer.from(await answer.arrayBuffer())
    await writeFile(file, bytes)
    return bytes.toString('utf8')
  }

  it('sha256sum of the reports agrees with the record', async () => {
    const { stdout } = await run(
      'sha256sum',
      record.files.map(file => file.path),
      { cwd: result.reportDir },
    )
    const sums = stdout
      .trim()
      .split('\n')
      .map(line => line.split(/\s+/)[0])
    expect(sums).toEqual(record.files.map(file => file.sha256))
    const evidence = await run('sha256sum', ['evidence.json'], { cwd: result.reportDir })
    expect(evidence.stdout.split(' ')[0]).toBe(record.evidence?.sha256)
  })

  it('skopeo inspect of the tag agrees with the record', async () => {
    const { stdout } = await run(machinePath('skopeo'), [
      ...['inspect', '--tls-verify=false', `docker://${bench.registry.host}/debian:1.0.0`],
    ])
    const seen = inspectSchema.parse(JSON.parse(stdout))
    const child = record.subject?.platforms[0]
    expect(seen).toEqual({
      Digest: record.subject?.digest,
      Layers: child?.layers.map(layer => layer.digest),
      Architecture: 'amd64',
    })
  })

  const KEY = ['--insecure-ignore-tlog', '--output', 'json']

  it('cosign verify agrees with the record, and another key does not verify', async () => {
    const { stdout } = await run(toolPath('cosign'), [
      ...['verify', '--key', bench.key.publicKey, ...KEY, reference],
    ])
    expect(stdout).toContain(`"docker-manifest-digest":"${record.subject?.digest ?? ''}"`)
    const other = await makeKeyPair(join(bench.root, 'other-key'))
    await expect(
      run(toolPath('cosign'), ['verify', '--key', other.publicKey, ...KEY, reference]),
    ).rejects.toThrow()
  })

  it('cosign verify-attestation agrees with the record for every statement', async () => {
    const types = [...new Set(record.release.bundles.map(bundle => bundle.predicateType))]
    expect(types.length).toBeGreaterThanOrEqual(5)
    for (const type of types) {
      const { stdout } = await run(toolPath('cosign'), [
        ...['verify-attestation', '--key', bench.key.publicKey, ...KEY, '--type', type, reference],
      ])
      const envelope = envelopeSchema.parse(JSON.parse(stdout.trim().split('\n')[0] ?? ''))
      const statement = statementSchema.parse(
        JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')),
      )
      expect(statement.predicateType).toBe(type)
      const subjects = statement.subject.map(one => `sha256:${one.digest.sha256}`)
      expect(subjects).toContain(record.subject?.digest)
    }
  })

  it('the verify command of the report works when it is pasted', async () => {
    const command = record.release.verifyCommand ?? ''
    const folder = await bench.folder('paste')
    const { stdout } = await run('/bin/sh', ['-c', command], {
      cwd: folder,
      env: { PATH: `${dirname(toolPath('cosign'))}:/usr/bin:/bin` },
    })
    expect(stdout.length).toBeGreaterThan(0)
  })
})
