import { join } from 'node:path'
import { GateError } from '../errors.js'
import type { DockerfileFacts, Evidence } from '../evidence/evidence.js'
import { hideSecrets } from '../evidence/exposed.js'
import { notConfigured, present, type Known } from '../evidence/known.js'
import { eventContext, terminalContext } from '../github/context.js'
import { prepareDatabase } from '../inspect/database.js'
import { inspectImage } from '../inspect/inspect.js'
import { hashBlobs } from '../oci/blobs.js'
import { openLayout } from '../oci/reader.js'
import { enforcedOutcome, judge } from '../policy/evaluate.js'
import { isolationProblem, type ResolvedPolicy } from '../policy/resolve.js'
import { evidenceDocument, parseEvidence } from '../record/evidence-document.js'
import { counted } from '../report/headline.js'
import { size } from '../report/sections.js'
import { databaseSizesFile } from '../tools/cache.js'
import type { Commands } from '../tools/command.js'
import { SCAN_MS } from '../tools/scanner.js'
import { installTools } from '../tools/install.js'
import { factsOf, toolOf, type ToolSet } from '../tools/tool-set.js'
import { resolveBases, withDigests } from './base-digests.js'
import { buildSubject } from './build-subject.js'
import { databaseProblems } from './database-problems.js'
import { readDockerfile } from './dockerfile.js'
import { reportFolder, type Given, type ResolvedBases, type Road } from './run.js'
import { readKevFeed } from './kev.js'
import type { Plan } from './plan.js'
import { buildRecord } from './provenance-facts.js'
import { refuseUnusableSigstore } from './signing.js'
import { toolServices } from './tool-services.js'
import { loadPolicy } from './policy-file.js'
import { releaseSubject } from './release-subject.js'

const SCAN_TOOLS = ['trivy', 'syft', 'crane'] as const
const ALL_TOOLS = [...SCAN_TOOLS, 'cosign'] as const

export const ROAD: Road = {
  context: async ({ services }, kind) => {
    const context =
      kind === 'terminal' ? terminalContext(process.cwd()) : await eventContext(services.environment)
    const { trigger } = context
    return {
      value: context,
      detail: kind === 'terminal' ? 'terminal' : `${trigger.event ?? ''} ${trigger.ref ?? ''}`,
    }
  },

  policy: async ({ commands, request }, context) => {
    const policy = await loadPolicy(commands, context, request.policy)
    return { value: policy, detail: `${policy.origin}, ${policy.mode}` }
  },

  tools: async ({ services, request, commands, facts }, { plan, policy }) => {
    await refuseWithoutConfinement(commands, policy, plan)
    await refuseUnusableSigstore({ request, facts }, plan)
    const names = plan.publish ? ALL_TOOLS : SCAN_TOOLS
    const tools = await installTools(toolServices(services, commands), { source: request.tools, names })
    return { value: tools, detail: toolWords(tools) }
  },

  sources: async (given, { context, policy }) => {
    const { services, request } = given
    const read = await readDockerfile(request, context)
    const bases = request.subject.kind === 'build' ? await basesOf(given, read) : undefined
    const dockerfile = bases === undefined ? read : withDigests(read, bases, request.buildContexts)
    const evidence = { ...NOTHING, dockerfile }
    const judged = judge({ policy, evidence, phases: ['source'], now: services.clock() })
    const stops = enforcedOutcome(judged.results)
    const verdict = { ...judged, blocks: stops !== null && judged.blocks }
    return {
      value: { dockerfile, verdict, ...(bases === undefined ? {} : { bases }) },
      detail: dockerfile.state === 'present' ? dockerfile.value.file : 'no Dockerfile',
    }
  },

  build: async (given, { context, tools, bases: looked }) => {
    const { services, request, commands } = given
    const building = buildSubject(given, {
      context,
      tools,
      ...(looked === undefined ? {} : { bases: looked }),
    })
    const preparing = prepareDatabase(
      { commands, tools, signal: services.signal, log: line => services.progress.note(line) },
      {
        source: request.database ?? '',
        workDir: services.workDir,
        sizesFile: databaseSizesFile(services.environment),
      },
    )
    const [image, database] = await bothOf(building, preparing)
    const layout = await openLayout(image.layoutDir, { name: request.image })
    const hashed = await hashBlobs(layout)
    const { engine, asked, bases } = image
    const words = engine === null ? 'ready image' : `${engine.name} ${engine.version}`
    const why = engine === null ? '' : ` (${engine.why})`
    return {
      value: {
        ...{ layout, engine, database },
        ...(asked === undefined ? {} : { asked, build: buildRecord(request, given.facts.startedAt) }),
        ...(bases === undefined ? {} : { bases }),
      },
      detail: `${words}, ${hashed.objects} blobs hashed, ${size(hashed.bytes)}${why}`,
    }
  },

  inspect: async (given, { built, tools, dockerfile }) => {
    const { services, commands, facts, request } = given
    if (built.database === undefined) throw new TypeError('an image is inspected with a database')
    const reportDir = reportFolder({ request }, facts)
    const inspection = await inspectImage(
      { commands, tools, timeoutMs: Math.min(SCAN_MS, request.timeoutMs / 2) },
      {
        layout: built.layout,
        database: built.database,
        dockerfile,
        builtHere: request.subject.kind === 'build',
        reportDir,
        workDir: join(services.workDir, 'inspect'),
      },
    )
    facts.files = [...facts.files, ...inspection.files]
    const gathered: Evidence = {
      subject: present(built.layout.subject),
      platforms: inspection.platforms,
      dockerfile,
      tools: present(factsOf(tools)),
      isolation: present(await commands.isolation()),
      database: present({ ...built.database.facts, ...(inspection.java && { java: inspection.java }) }),
      canary: inspection.canary,
      kev: await readKevFeed(services.programRoot),
      released: notConfigured(),
    }
    facts.exposed = inspection.exposed
    const evidence = withoutExposed(gathered, inspection.exposed)
    return { value: evidence, detail: inspectWords(evidence), problems: inspection.problems }
  },

  judge: ({ services }, { policy, evidence }) => {
    const now = services.clock()
    const verdict = judge({ policy, evidence, phases: ['source', 'image'], now })
    const problems = databaseProblems(evidence, policy, now)
    return Promise.resolve({ value: verdict, detail: verdict.outcome, problems })
  },

  release: async (given, input) => {
    const outcome = await releaseSubject(given, input)
    return { value: outcome, detail: outcome.record.state, problems: outcome.problems }
  },
}

/** The evidence without the secrets that stand in the configuration of the image, which it repeats in many places. */
function withoutExposed(evidence: Evidence, exposed: readonly string[]): Evidence {
  if (exposed.length === 0) return evidence
  return parseEvidence(hideSecrets(evidenceDocument(evidence).text, exposed))
}

/** What the registries say of the bases, asked before anything is built. */
async function basesOf(given: Given, dockerfile: Known<DockerfileFacts>): Promise<ResolvedBases> {
  return await resolveBases(given, dockerfile, toolOf(given.facts.tools ?? {}, 'crane').program)
}

/** Evidence before anything was built. */
const NOTHING: Evidence = {
  subject: notConfigured(),
  platforms: [],
  dockerfile: notConfigured(),
  tools: notConfigured(),
  isolation: notConfigured(),
  database: notConfigured(),
  canary: notConfigured(),
  kev: notConfigured(),
  released: notConfigured(),
}

/** What the release would refuse anyway is refused before anything costly is done. */
async function refuseWithoutConfinement(
  commands: Commands,
  policy: ResolvedPolicy,
  plan: Plan,
): Promise<void> {
  const signs = plan.publish && plan.sign !== 'none'
  const problem = isolationProblem(policy, await commands.isolation(), signs)
  if (problem !== undefined) throw new GateError('evidence', { reason: 'isolation-none', message: problem })
}

function toolWords(tools: ToolSet): string {
  return factsOf(tools)
    .map(tool => `${tool.name} ${tool.version}${tool.verified ? '' : ' (unverified)'}`)
    .join(', ')
}

function inspectWords(evidence: Evidence): string {
  const packages = evidence.platforms.map(child =>
    child.vulnerabilities.state === 'present' ? child.vulnerabilities.value.packages.length : 0,
  )
  const total = packages.reduce((sum, count) => sum + count, 0)
  return `${counted(total, 'package', 'packages')} on ${counted(packages.length, 'platform', 'platforms')}`
}

/** Waits for both before the first failure is thrown, so that nothing goes on in the background. */
async function bothOf<A, B>(first: Promise<A>, second: Promise<B>): Promise<readonly [A, B]> {
  await Promise.allSettled([first, second])
  return [await first, await second]
}
