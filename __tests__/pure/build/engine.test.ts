import { buildImage, type EngineAnswer, type EngineName, type Engines } from '../../../src/build/engine.js'
import type { BuildServices } from '../../../src/build/build-request.js'
import type { BuiltImage } from '../../../src/build/built.js'
import { GateError } from '../../../src/errors.js'
import { PLAIN } from './requests.js'

type Answers = Partial<Record<EngineName, 'there' | 'cannot'>>

/** Engines that say who was asked to build. */
function engines(answers: Answers, ran: EngineName[] = []): Engines {
  const finder = (name: EngineName) => (): Promise<EngineAnswer> => {
    const answer = answers[name]
    if (answer === undefined) return Promise.resolve({ kind: 'none', why: `${name} is not installed` })
    const build = (): Promise<BuiltImage> => {
      ran.push(name)
      const engine = { name, version: '1', why: '' }
      return Promise.resolve({ layoutDir: '/layout', engine, imageId: null })
    }
    const refusals = answer === 'cannot' ? ['annotations', 'secrets'] : []
    return Promise.resolve({ kind: 'way', refusals, why: `${name} answers`, build })
  }
  return { buildx: finder('buildx'), docker: finder('docker'), buildah: finder('buildah') }
}

/** The GateError that the work must end with. */
async function gateErrorOf(work: Promise<unknown>): Promise<GateError> {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown instanceof GateError) return thrown
  throw new Error(`a GateError was expected, not ${String(thrown)}`)
}

const services: BuildServices = {
  commands: {
    run: () => Promise.reject(new Error('nothing is started')),
    stream: () => {
      throw new Error('nothing is started')
    },
    serve: () => Promise.reject(new Error('nothing is started')),
    isolation: () => Promise.resolve('none'),
    stopAll: () => Promise.resolve(),
  },
  workDir: '/work',
  environment: {},
}

test.each<[Answers, EngineName, string]>([
  [{ buildx: 'there', docker: 'there', buildah: 'there' }, 'buildx', 'buildx answers'],
  [{ docker: 'there', buildah: 'there' }, 'docker', 'docker answers (not buildx: buildx is not installed)'],
  [
    { docker: 'cannot', buildah: 'there' },
    'buildah',
    'buildah answers (not buildx: buildx is not installed; not docker: cannot do annotations, secrets)',
  ],
])('auto of %j is %s, and says why', async (answers, name, why) => {
  const ran: EngineName[] = []
  const built = await buildImage(services, 'auto', PLAIN, engines(answers, ran))
  expect(ran).toEqual([name])
  expect(built.engine).toEqual({ name, version: '1', why })
})

test.each(['buildx', 'docker', 'buildah'] as const)('%s asked for is the one that runs', async name => {
  const ran: EngineName[] = []
  const all = engines({ buildx: 'there', docker: 'there', buildah: 'there' }, ran)
  const built = await buildImage(services, name, PLAIN, all)
  expect(ran).toEqual([name])
  expect(built.engine).toEqual({ name, version: '1', why: `asked for; ${name} answers` })
})

test.each(['buildx', 'docker', 'buildah'] as const)('%s asked for is never replaced', async name => {
  const ran: EngineName[] = []
  const others = { buildx: 'there', docker: 'there', buildah: 'there', [name]: undefined } as const
  const error = await gateErrorOf(buildImage(services, name, PLAIN, engines(others, ran)))
  expect([error.code, error.reason, ran]).toEqual(['tool', 'engine-missing', []])
  expect(error.message).toContain(`engine ${name}: ${name} is not installed.`)
})

test('an engine asked for refuses by name what it would drop', async () => {
  const ran: EngineName[] = []
  const error = await gateErrorOf(buildImage(services, 'docker', PLAIN, engines({ docker: 'cannot' }, ran)))
  expect([error.code, error.reason, ran]).toEqual(['config', 'engine-cannot', []])
  expect(error.message).toContain('engine docker cannot do annotations, secrets')
})

test('auto without any engine names each', async () => {
  const error = await gateErrorOf(buildImage(services, 'auto', PLAIN, engines({})))
  expect([error.code, error.reason]).toEqual(['tool', 'engine-missing'])
  for (const name of ['buildx', 'docker', 'buildah']) expect(error.message).toContain(`not ${name}:`)
})

test('auto where no engine can do what is asked is a question of the inputs', async () => {
  const error = await gateErrorOf(buildImage(services, 'auto', PLAIN, engines({ docker: 'cannot' })))
  expect([error.code, error.reason]).toEqual(['config', 'engine-cannot'])
  expect(error.message).toContain('docker cannot do annotations, secrets')
})
