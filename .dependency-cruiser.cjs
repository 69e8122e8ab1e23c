// Arrows of docs/architecture.md: who may import whom. A planted wrong import makes `npm run check` fail.
const PURE = ['report', 'record', 'policy', 'evidence']
const ADAPTERS = ['tools', 'oci', 'registry']
const STAGES = ['build', 'inspect', 'release', 'github']
const WIRING =
  '^src/(inputs|inputs-build|inputs-reading|inputs-tags|outputs|services|request|progress|version|abandoned)[.]ts$'
const ENTRIES = '^src/(index|post|cli)[.]ts$'
/** Read by toolchain/schemas.mjs alone. */
const GENERATORS = '^src/(record/json-schema|policy/json-schema|policy/rules-page)[.]ts$'
const room = name => `^src/${name}/`
const rooms = names => `^src/(${names.join('|')})/`

/** The way out of this machine: whoever sends a request goes by it. */
const NETWORK = '^src/network[.]ts$'
const KNOWN = [
  '^src/errors[.]ts$',
  NETWORK,
  WIRING,
  ENTRIES,
  rooms([...PURE, ...ADAPTERS, ...STAGES, 'commands']),
]

/** A room may import errors.ts, itself and the rooms named; nothing else of src. */
function only(name, from, allowed) {
  const pathNot = ['^src/errors[.]ts$', 'node_modules', ...allowed]
  return { name, severity: 'error', from: { path: from }, to: { path: '^src/', pathNot } }
}

module.exports = {
  forbidden: [
    { name: 'no-cycle', severity: 'error', from: { path: '^src/' }, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: { path: '^src/' }, to: { couldNotResolve: true } },
    {
      name: 'no-dead-file',
      severity: 'error',
      from: { path: ENTRIES },
      to: { path: '^src/', pathNot: [ENTRIES, GENERATORS, '[.]d[.]ts$'], reachable: false },
    },
    { name: 'known-rooms-only', severity: 'error', from: {}, to: { path: '^src/', pathNot: KNOWN } },
    { name: 'known-rooms-only', severity: 'error', from: { path: '^src/', pathNot: KNOWN }, to: {} },
    ...PURE.map((name, at) => only(`pure-${name}`, room(name), [rooms(PURE.slice(at))])),
    ...ADAPTERS.map(name => only(`adapter-${name}`, room(name), [NETWORK, rooms([name, ...PURE])])),
    ...STAGES.map(name => only(`stage-${name}`, room(name), [NETWORK, rooms([name, ...ADAPTERS, ...PURE])])),
    only('network', NETWORK, []),
    only('wiring', WIRING, [WIRING, rooms([...STAGES, ...ADAPTERS, ...PURE])]),
    only('commands', room('commands'), [WIRING, rooms(['commands', ...STAGES, ...ADAPTERS, ...PURE])]),
    only('entries', ENTRIES, [WIRING, rooms(['commands', 'report', 'record'])]),
    {
      name: 'pure-rooms-do-no-io',
      severity: 'error',
      from: { path: rooms(PURE) },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
    },
    {
      name: 'pure-rooms-know-no-runner',
      severity: 'error',
      from: { path: rooms(PURE) },
      to: { path: '@actions/' },
    },
    {
      name: 'one-place-starts-processes',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/tools/process[.]ts$' },
      to: { path: '^(node:)?child_process$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
}
