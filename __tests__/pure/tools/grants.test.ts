import type { Grant } from '../../../src/tools/command.js'
import { SYSTEM_PATH, grantEnvironment, grantedNames } from '../../../src/tools/grants.js'

const GRANTS: readonly Grant[] = ['scanner', 'engine', 'registry', 'signer', 'toolchain']
const FOLDERS = { home: '/w/home', tmp: '/w/tmp' }

test.each(GRANTS)('%s never holds names of the runner, inputs, tokens or the loader', grant => {
  const bad = /^(?:ACTIONS_|INPUT_|GITHUB_|RUNNER_|LD_|DYLD_|NODE_|GH_|TRIVY_|GOFLAGS|GOENV|BASH_ENV|ENV$)/
  expect(grantedNames(grant).filter(name => bad.test(name))).toEqual([])
})

test.each(GRANTS)('%s inherits nothing that is not on its list', grant => {
  const names = [
    ...['INPUT_REGISTRY-PASSWORD', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN', 'ACTIONS_RUNTIME_TOKEN', 'GITHUB_TOKEN'],
    ...[
      'AWS_SECRET_ACCESS_KEY',
      'AZURE_CLIENT_SECRET',
      'VAULT_TOKEN',
      'NPM_TOKEN',
      'COSIGN_PASSWORD',
      'NODE_OPTIONS',
    ],
    ...['LD_PRELOAD', 'TRIVY_SEVERITY', 'GOFLAGS', 'GIT_SSH_COMMAND', 'BASH_ENV'],
  ]
  const planted = Object.fromEntries(names.map(name => [name, 'planted']))
  const environment = grantEnvironment(grant, { ...planted, PATH: '/usr/bin' }, { folders: FOLDERS })
  expect(Object.values(environment)).not.toContain('planted')
})

test('scanners and signers get folders of their own and the system path', () => {
  const source = { HOME: '/home/me', TMPDIR: '/var/tmp', PATH: '/evil' }
  for (const grant of ['scanner', 'signer'] as const)
    expect(grantEnvironment(grant, source, { folders: FOLDERS })).toEqual({
      ...{ LANG: 'C.UTF-8', PATH: SYSTEM_PATH, HOME: '/w/home', TMPDIR: '/w/tmp' },
    })
})

test('only listed variables may be set by hand', () => {
  const set = (grant: Grant, name: string) => () =>
    grantEnvironment(grant, {}, { folders: FOLDERS, variables: { [name]: 'x' } })
  expect(set('signer', 'COSIGN_PASSWORD')()).toHaveProperty('COSIGN_PASSWORD', 'x')
  expect(set('scanner', 'COSIGN_PASSWORD')).toThrow(TypeError)
  expect(set('engine', 'GITHUB_TOKEN')).toThrow(TypeError)
  expect(set('scanner', 'HTTP_PROXY')).toThrow(TypeError)
})
