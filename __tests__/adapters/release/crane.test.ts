import { pushByDigest, readCredentials, serveRegistry, tagDigest } from '../../../src/tools/crane.js'
import { repositoriesOf } from '../../../src/registry/catalog.js'
import { reasonOfAsync } from '../../support/reasons.js'
import { openDesk, type Desk } from '../../support/release-desk.js'

let desk: Desk
beforeAll(async () => {
  desk = await openDesk()
})
afterAll(() => desk.close())

const WRONG = `sha256:${'0'.repeat(64)}` as const

test('a registry that takes the bytes under another digest is noticed by what crane prints', async () => {
  const { layout, image } = await desk.request()
  const crane = { commands: desk.commands, program: desk.services.crane }
  const push = { layoutDir: layout.dir, image, bytes: 1 }
  expect(await reasonOfAsync(pushByDigest(crane, { ...push, digest: WRONG }))).toBe('digest-not-accepted')
  await pushByDigest(crane, { ...push, digest: layout.subject.digest })
  expect(await repositoriesOf(desk.registry.host)).toEqual([image.path])
})

test('a tag on a digest that is not there, and a push to nowhere, have their reasons', async () => {
  const { layout, image } = await desk.request()
  const crane = { commands: desk.commands, program: desk.services.crane }
  expect(await reasonOfAsync(tagDigest(crane, image, WRONG, 'v1'))).toBe('push-failed')
  desk.registry.lie(() => 'cut')
  const push = { layoutDir: layout.dir, image, digest: layout.subject.digest, bytes: 1 }
  expect(await reasonOfAsync(pushByDigest(crane, push))).toBe('registry-unreachable')
  desk.registry.lie(null)
})

test('the embedded registry listens on a port of its own and is gone when stopped', async () => {
  const crane = { commands: desk.commands, program: desk.services.crane }
  const [one, two] = await Promise.all([serveRegistry(crane), serveRegistry(crane)])
  expect(one.host).not.toBe(two.host)
  expect(await repositoriesOf(one.host)).toEqual([])
  await Promise.all([one.stop(), two.stop()])
  expect(await reasonOfAsync(repositoriesOf(one.host))).toBe('registry-unreachable')
  expect(await readCredentials(crane, one.host)).toBeNull()
})
