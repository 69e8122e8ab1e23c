import { profileModes } from './profiles.js'
import type { Rule } from './rule.js'
import { RULES } from './rules/index.js'

const HEAD = `# Rules

Made from the table in \`src/policy/rules/\` by \`npm run schemas\`; change the rules, not this page. How a policy turns them
is in [policy.md](policy.md).

A rule is judged in its phase: *source* before anything is built, *image* after the inspection, *released* over what the
registry serves, before the tag. Its outcome is pass, fail, unknown, not applicable or off. Controls are what a rule gives
evidence for; passing it is no statement of compliance.
`

/** \`docs/rules.md\`: a table of all rules, then one section for each. */
export function rulesPageText(): string {
  const modes = profileModes('recommended')
  const rows = RULES.map(
    rule =>
      `| [\`${rule.id}\`](#${anchorOf(rule)}) | ${rule.phase} | ${modes[rule.id] ?? 'off'} | ${rule.title} |`,
  )
  const table = ['| Rule | Phase | recommended | What it asks |', '|---|---|---|---|', ...rows].join('\n')
  return [HEAD, `${table}\n`, ...RULES.map(section)].join('\n')
}

function section(rule: Rule): string {
  return `## ${rule.id}

${rule.title}. ${rule.why}

- **Change**: ${rule.fix}
- **Needs**: ${rule.needs.join(', ')}
- **Severity**: ${rule.severity}
- **Evidence for**: ${rule.controls.join(' · ')}
`
}

/** The anchor that GitHub gives a heading. */
function anchorOf(rule: Rule): string {
  return rule.id.replaceAll('.', '')
}
