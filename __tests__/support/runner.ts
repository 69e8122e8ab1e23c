import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { load } from 'js-yaml'
import { z } from 'zod'
import { runNode, type Ending } from './terminal.js'
import { bundled, ROOT, run } from './tools.js'
import { commandsIn, parseCommandFile, type WorkflowCommand } from './workflow-commands.js'

/** One job of a workflow with one step: this action. */
export interface Job {
  readonly workspace: string
  readonly commit: string
  readonly inputs: Readonly<Record<string, string>>
  /** Variables of job and machine, beside those of the runner: what a workflow sets under `env`. */
  readonly env?: Readonly<Record<string, string>>
  /** Changes to the variables of the event, for events that are no push to the default branch. */
  readonly event?: { readonly name: string; readonly ref?: string; readonly payload?: object }
  /** A folder of the test for temporary files and HOME of the runner. */
  readonly temp: string
  readonly started?: (pid: number) => void
  /** False: without `id-token: write`. Default true, so that the variables that must not leak are there. */
  readonly idToken?: boolean
}

/** What the step left behind, as the runner reads it. */
export interface StepResult extends Ending {
  readonly outputs: Readonly<Record<string, string>>
  readonly summary: string
  readonly state: Readonly<Record<string, string>>
  readonly commands: readonly WorkflowCommand[]
  /** Raw text of the files that change later steps: nothing of ours may ever write there. */
  readonly environmentFile: string
  readonly pathFile: string
  /** Where the runner's temporary folder was. */
  readonly runnerTemp: string
  readonly post: Ending & { readonly commands: readonly WorkflowCommand[] }
}

const BRANCH = 'main'
export const REPOSITORY = 'octo-org/app'
const FILES = ['OUTPUT', 'STATE', 'STEP_SUMMARY', 'ENV', 'PATH'] as const

const actionSchema = z.object({
  inputs: z.record(z.string(), z.object({ default: z.string().optional() })),
  runs: z.object({ using: z.literal('node24'), main: z.string(), post: z.string() }),
})

/** Runs main and post of the action the way the runner does, and collects everything it would look at. */
export async function runStep(job: Job): Promise<StepResult> {
  const action = actionSchema.parse(load(await readFile(join(ROOT, 'action.yml'), 'utf8')))
  const runnerTemp = await mkdtemp(join(job.temp, 'runner-'))
  const files = await commandFiles(runnerTemp)
  const env = {
    ...(await runnerEnvironment(job, runnerTemp)),
    ...files,
    ...inputVariables(action.inputs, job),
  }
  const started = job.started === undefined ? {} : { started: job.started }
  const main = await runNode({ script: bundled('index'), cwd: job.workspace, env, ...started })
  const state = parseCommandFile(await readFile(files.GITHUB_STATE, 'utf8'))
  const states = Object.entries(state).map(([name, value]) => [`STATE_${name}`, value] as const)
  const postFiles = await commandFiles(await mkdtemp(join(runnerTemp, 'post-')))
  const post = await runNode({
    script: bundled('post'),
    cwd: job.workspace,
    env: { ...env, ...postFiles, ...Object.fromEntries(states) },
  })
  return {
    ...main,
    outputs: parseCommandFile(await readFile(files.GITHUB_OUTPUT, 'utf8')),
    summary: await readFile(files.GITHUB_STEP_SUMMARY, 'utf8'),
    state,
    commands: commandsOf(main),
    environmentFile: await readFile(files.GITHUB_ENV, 'utf8'),
    pathFile: await readFile(files.GITHUB_PATH, 'utf8'),
    runnerTemp,
    post: { ...post, commands: commandsOf(post) },
  }
}

function commandsOf(ending: Ending): readonly WorkflowCommand[] {
  return [...commandsIn(ending.stdout, 'stdout'), ...commandsIn(ending.stderr, 'stderr')]
}

async function commandFiles(
  folder: string,
): Promise<Readonly<Record<`GITHUB_${(typeof FILES)[number]}`, string>>> {
  const made = {
    GITHUB_OUTPUT: '',
    GITHUB_STATE: '',
    GITHUB_STEP_SUMMARY: '',
    GITHUB_ENV: '',
    GITHUB_PATH: '',
  }
  for (const name of FILES) {
    const path = join(folder, `file_${name.toLowerCase()}`)
    await writeFile(path, '')
    made[`GITHUB_${name}`] = path
  }
  return made
}

/** Every declared input is set, with its default or empty; hyphens stay, undeclared inputs are handed over too. */
function inputVariables(
  declared: z.infer<typeof actionSchema>['inputs'],
  job: Job,
): Readonly<Record<string, string>> {
  const values = {
    ...Object.fromEntries(Object.entries(declared).map(([name, input]) => [name, input.default ?? ''])),
    ...job.inputs,
  }
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`,
      value,
    ]),
  )
}

async function runnerEnvironment(job: Job, runnerTemp: string): Promise<Readonly<Record<string, string>>> {
  const ref = job.event?.ref ?? `refs/heads/${BRANCH}`
  const payload = job.event?.payload ?? {
    ref,
    before: '0'.repeat(40),
    after: job.commit,
    deleted: false,
    repository: { id: 1, full_name: REPOSITORY, default_branch: BRANCH, visibility: 'public' },
  }
  const eventPath = join(runnerTemp, 'event.json')
  await writeFile(eventPath, JSON.stringify(payload))
  const home = join(job.temp, 'home')
  const tool = join(job.temp, 'toolcache')
  await Promise.all([home, tool].map(folder => mkdir(folder, { recursive: true })))
  return {
    ...machineVariables(home, tool, runnerTemp),
    ...githubVariables({ job, ref, eventPath }),
    ...serviceVariables(job),
    ...job.env,
  }
}

function machineVariables(home: string, tool: string, temp: string): Readonly<Record<string, string>> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: home,
    LANG: 'C.UTF-8',
    CI: 'true',
    RUNNER_OS: 'Linux',
    RUNNER_ARCH: 'X64',
    RUNNER_NAME: 'mini',
    RUNNER_ENVIRONMENT: 'self-hosted',
    RUNNER_TEMP: temp,
    RUNNER_TOOL_CACHE: tool,
    // The runner does not set it; the tests keep everything below their own folder.
    TMPDIR: temp,
    ...(process.env['PORTCULLIS_CACHE'] === undefined
      ? {}
      : { PORTCULLIS_CACHE: process.env['PORTCULLIS_CACHE'] }),
  }
}

function githubVariables(given: {
  readonly job: Job
  readonly ref: string
  readonly eventPath: string
}): Readonly<Record<string, string>> {
  const { job, ref, eventPath } = given
  const name = ref.replace(/^refs\/(?:heads|tags)\//, '')
  return {
    GITHUB_ACTIONS: 'true',
    GITHUB_ACTION: '__self',
    GITHUB_ACTION_PATH: ROOT,
    GITHUB_ACTOR: 'octocat',
    GITHUB_ACTOR_ID: '1',
    GITHUB_API_URL: 'https://api.github.com',
    GITHUB_BASE_REF: '',
    GITHUB_EVENT_NAME: job.event?.name ?? 'push',
    GITHUB_EVENT_PATH: eventPath,
    GITHUB_GRAPHQL_URL: 'https://api.github.com/graphql',
    GITHUB_HEAD_REF: '',
    GITHUB_JOB: 'gate',
    GITHUB_REF: ref,
    GITHUB_REF_NAME: name,
    GITHUB_REF_PROTECTED: 'true',
    GITHUB_REF_TYPE: ref.startsWith('refs/tags/') ? 'tag' : 'branch',
    GITHUB_REPOSITORY: REPOSITORY,
    GITHUB_REPOSITORY_ID: '1',
    GITHUB_REPOSITORY_OWNER: 'octo-org',
    GITHUB_REPOSITORY_OWNER_ID: '2',
    GITHUB_RETENTION_DAYS: '90',
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_RUN_ID: '4242',
    GITHUB_RUN_NUMBER: '7',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_SHA: job.commit,
    GITHUB_TRIGGERING_ACTOR: 'octocat',
    GITHUB_WORKFLOW: 'release',
    GITHUB_WORKFLOW_REF: `${REPOSITORY}/.github/workflows/release.yml@${ref}`,
    GITHUB_WORKFLOW_SHA: job.commit,
    GITHUB_WORKSPACE: job.workspace,
  }
}

/** Tokens of the runner's services: values that must never leave the action. */
function serviceVariables(job: Job): Readonly<Record<string, string>> {
  return {
    ACTIONS_RUNTIME_URL: 'http://127.0.0.1:9/runtime/',
    ACTIONS_RUNTIME_TOKEN: 'runtime-token-of-this-job',
    ACTIONS_RESULTS_URL: 'http://127.0.0.1:9/results/',
    ACTIONS_CACHE_SERVICE_V2: 'True',
    ACTIONS_ORCHESTRATION_ID: 'orchestration-of-this-job',
    ...(job.idToken === false
      ? {}
      : {
          ACTIONS_ID_TOKEN_REQUEST_URL: 'http://127.0.0.1:9/idtoken?api-version=2.0',
          ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'id-token-request-token-of-this-job',
        }),
  }
}

/** Makes a folder a repository with one commit of all that is in it; resolves with the commit. */
export async function commitAll(workspace: string): Promise<string> {
  const identity = {
    GIT_AUTHOR_NAME: 'Octo Cat',
    GIT_AUTHOR_EMAIL: 'octocat@example.com',
    GIT_COMMITTER_NAME: 'Octo Cat',
    GIT_COMMITTER_EMAIL: 'octocat@example.com',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
  }
  const git = (...args: string[]): Promise<{ readonly stdout: string }> =>
    run('git', ['-c', 'init.defaultBranch=main', '-c', 'gc.auto=0', ...args], {
      cwd: workspace,
      env: identity,
    })
  await git('init', '--quiet')
  await git('add', '--all')
  await git('commit', '--quiet', '--allow-empty', '--message', 'One commit')
  return (await git('rev-parse', 'HEAD')).stdout.trim()
}
