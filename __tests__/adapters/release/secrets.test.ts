import { chmodSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { releaseImage } from '../../../src/release/release.js'
import { createCommands } from '../../../src/tools/commands.js'
import type { Program } from '../../../src/tools/command.js'
import { openDesk, PASSWORD, type Desk } from '../../support/release-desk.js'

let desk: Desk
beforeAll(async () => {
  desk = await openDesk()
})
afterAll(() => desk.close())

const PLANTED = {
  ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'planted-actions-token',
  INPUT_KEY: 'planted-input',
  AWS_SECRET_ACCESS_KEY: 'planted-cloud-secret',
  GITHUB_TOKEN: 'planted-github-token',
  COSIGN_PASSWORD: 'planted-other-password',
}

/** A program that notes its argv and environment and then becomes the real one. */
function noting(program: Program, dir: string): Program {
  const path = join(desk.dir, `noting-${program.name}`)
  const note = `"${dir}/${program.name}-$$"`
  writeFileSync(
    path,
    `#!/bin/sh\n{ printf '%s\\n' "$@"; echo ENVIRONMENT; tr '\\0' '\\n' </proc/$$/environ; } >${note}\nexec ${program.path} "$@"\n`,
  )
  chmodSync(path, 0o755)
  return { name: program.name, path }
}

test('the key is in no argv and no environment, its password only where it signs, nothing planted anywhere', async () => {
  const notes = join(desk.dir, 'notes')
  mkdirSync(notes)
  const secretKey = readFileSync(desk.keyFile, 'utf8')
  const environment = {
    ...PLANTED,
    PATH: process.env['PATH'],
    HOME: desk.dir,
    DOCKER_CONFIG: join(desk.dir, 'docker'),
    RELEASE_KEY: secretKey,
  }
  const workDir = join(desk.dir, 'notes-work')
  mkdirSync(workDir)
  const request = await desk.request()
  const services = {
    ...desk.services,
    commands: createCommands({ environment, workDir }),
    crane: noting(desk.services.crane, notes),
    cosign: noting(desk.services.cosign, notes),
    environment,
  }
  const signing = { kind: 'key', key: 'env://RELEASE_KEY', password: PASSWORD, rehearsal: true } as const
  const outcome = await releaseImage(services, { ...request, signing })
  expect(outcome.record.state).toBe('released')

  const seen = readdirSync(notes).map(name => ({ name, text: readFileSync(join(notes, name), 'utf8') }))
  expect(seen.length).toBeGreaterThan(10)
  const body = secretKey.split('\n')[1] ?? ''
  expect(body.length).toBeGreaterThan(40)
  for (const { name, text } of seen) {
    const signs = /^(attest-blob|public-key)\n/.test(text)
    expect([name, text.includes(PASSWORD)]).toEqual([name, signs])
    expect([name, /DOCKER_CONFIG=/.test(text)]).toEqual([
      name,
      !/^(attest-blob|public-key|verify-blob)/.test(text),
    ])
    const secrets = [body, Buffer.from(secretKey).toString('base64').slice(0, 80), ...Object.values(PLANTED)]
    for (const secret of secrets) {
      for (const form of [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)]) {
        expect([name, text.includes(form)]).toEqual([name, false])
      }
    }
  }
  const files = outcome.files.map(file => readFileSync(join(request.reportDir, file.path), 'utf8'))
  for (const text of [JSON.stringify(outcome), ...files]) {
    expect(text).not.toContain(body)
    expect(text).not.toContain(PASSWORD)
  }
})
