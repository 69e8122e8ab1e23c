import type { LinkedMetadata } from '../../evidence/image.js'
import type { Present } from '../needs.js'
import { defineRule } from '../rule.js'
import type { CheckResult, RuleContext } from '../rule.js'
import type { Violation } from '../verdict.js'
import { fingerprint, originOfLayer } from '../violation.js'

type Platform = Present<'contents' | 'vulnerabilities' | 'sboms'>['platforms'][number]

const WORDS: Readonly<Record<LinkedMetadata['kind'], string>> = {
  'hard-link': 'a hard link to',
  'symbolic-link': 'a symbolic link to',
  'linked-folder': 'in a folder that is a link, really',
}

export const inventoryLinks = defineRule({
  id: 'inventory.links',
  title: 'Package metadata is no link, or is matched all the same',
  why: 'A scanner reads the plain files of a layer: metadata behind a link takes its package out of the scan.',
  fix: 'Install the package where it belongs, without links in place of its metadata.',
  severity: 'high',
  phase: 'image',
  needs: ['contents', 'vulnerabilities', 'sboms'],
  controls: [
    'CIS Docker 1.6.0 4.4',
    'NIST SP 800-218 1.1 PW.4.4',
    'NIST CSF 2.0 ID.AM-02',
    'OWASP CI/CD Top 10 2022 CICD-SEC-3',
  ],
  check(given, context): CheckResult {
    const unknown = given.platforms
      .filter(one => one.contents.linkedMetadata === undefined)
      .map(one => `${one.platform}: links in place of package metadata were not looked for`)
    const files = given.platforms.reduce((sum, one) => sum + one.contents.files, 0)
    const violations = given.platforms.flatMap(one =>
      hiding(one).map(link => linkViolation(link, one.platform, context)),
    )
    if (files === 0 && violations.length === 0 && unknown.length === 0)
      return { notApplicable: 'the image has no files' }
    return { checked: Math.max(files, violations.length), violations, unknown }
  },
})

/** Links behind which nothing was matched: no package that the scan holds was read from there. */
function hiding({ contents, vulnerabilities, sboms }: Platform): readonly LinkedMetadata[] {
  const purls = new Set(vulnerabilities.packages.map(found => plain(found.purl)))
  const seen = sboms.packages.filter(found => purls.has(plain(found.purl)))
  const read = new Set([...vulnerabilities.packages, ...seen].flatMap(found => found.path ?? []))
  return (contents.linkedMetadata ?? []).filter(link => !read.has(link.path) && !read.has(link.target))
}

function plain(purl: string): string {
  return purl.replace(/[?#].*$/s, '')
}

function linkViolation(link: LinkedMetadata, platform: string, context: RuleContext): Violation {
  const contents = context.evidence.platforms.find(one => one.platform === platform)?.contents
  return {
    rule: 'inventory.links',
    thing: link.path,
    platforms: [platform],
    severity: 'high',
    message: `${link.path} is ${WORDS[link.kind]} ${link.target}, and no package that was read there is in the scan`,
    fix: `put the file itself at ${link.path}, or remove it`,
    ...originOfLayer(contents ?? { state: 'not-configured' }, link.layer),
    imagePath: link.path,
    fingerprint: fingerprint({ rule: 'inventory.links', path: link.path }),
  }
}
