import { readPolicyDocument } from '../../../src/policy/document.js'
import { resolvePolicy, type ResolvedPolicy } from '../../../src/policy/resolve.js'

const HEAD = 'apiVersion: portcullis/v1\nkind: ImagePolicy\nidentities:\n'

function policy(text: string): ResolvedPolicy {
  const document = readPolicyDocument(`${HEAD}${text}`, 'p.yml')
  return resolvePolicy({ document, file: 'p.yml', origin: 'working tree' })
}

test('an entry becomes what certificates state; ids become text', () => {
  const entry = [
    '  - issuer: https://issuer',
    '    subject: https://github.com/o/r/.github/workflows/w.yml@refs/heads/main',
    '    repository_id: 1001',
    '    owner_id: 2002',
    '    workflow: .github/workflows/w.yml',
    '    ref: refs/heads/main',
    '    trigger: push',
    '    runner_environment: github-hosted',
    '',
  ].join('\n')
  expect(policy(entry).identities).toEqual([
    {
      issuer: 'https://issuer',
      subject: 'https://github.com/o/r/.github/workflows/w.yml@refs/heads/main',
      repositoryId: '1001',
      ownerId: '2002',
      workflow: '.github/workflows/w.yml',
      ref: 'refs/heads/main',
      trigger: 'push',
      runnerEnvironment: 'github-hosted',
    },
  ])
})

test('what is not given is absent, and another identity is another policy', () => {
  const one = policy('  - {issuer: "https://i", subject: a}\n')
  expect(one.identities).toEqual([{ issuer: 'https://i', subject: 'a' }])
  expect(one.digest).not.toBe(policy('  - {issuer: "https://i", subject: b}\n').digest)
  expect(resolvePolicy({ document: null, file: null, origin: 'x' }).identities).toEqual([])
})

test.each([
  ['an empty list', '  []\n', /identities: expected at least 1/],
  ['no issuer', '  - {subject: a}\n', /identities\[0\]\.issuer: expected text/],
  [
    'neither subject nor workflow',
    '  - {issuer: a, ref: b}\n',
    /expected subject, or workflow together with/,
  ],
  ['a workflow without its repository', '  - {issuer: a, workflow: b}\n', /expected subject, or workflow/],
  ['a wildcard', '  - {issuer: a, subject: "b/*"}\n', /without blanks and wildcards/],
  ['an empty subject', '  - {issuer: a, subject: ""}\n', /without blanks and wildcards/],
  ['an id as text', '  - {issuer: a, subject: b, repository_id: "1"}\n', /repository_id: expected a number/],
  [
    'an id that is none',
    '  - {issuer: a, subject: b, repository_id: 0}\n',
    /repository_id: expected at least 1/,
  ],
  [
    'another runner',
    '  - {issuer: a, subject: b, runner_environment: mine}\n',
    /runner_environment: expected/,
  ],
  ['a key of nobody', '  - {issuer: a, subject_regexp: b}\n', /subject_regexp: expected a known key/],
])('%s is refused', (_what, text, words) => {
  expect(() => policy(text)).toThrow(words)
})
